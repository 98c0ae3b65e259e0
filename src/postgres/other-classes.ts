import {
  comment,
  isMade,
  isOwn,
  named,
  ownerName,
  rights,
  routine,
  type ObjectClass,
} from './object-class.ts'

/** Classes of what stands around tables, types and routines, by the word that people read. */
export const otherClasses: Readonly<Record<string, ObjectClass>> = {
  schema: {
    name: 'quote_ident(n.nspname)',
    from: `pg_namespace n join space using (oid) where ${isOwn('pg_namespace', 'n.oid')}`,
    told: { owner: ownerName('n.nspowner'), privileges: rights('n.nspacl', 'n', 'n.nspowner') },
    texts: { comment: comment('pg_namespace', 'n.oid') },
  },
  extension: {
    name: 'quote_ident(e.extname)',
    from: 'pg_extension e',
    told: { version: 'e.extversion', schema: 'e.extnamespace::regnamespace' },
    texts: { comment: comment('pg_extension', 'e.oid') },
  },
  'text search configuration': {
    name: 'c.oid::regconfig',
    from: `pg_ts_config c join space on space.oid = c.cfgnamespace where ${isOwn('pg_ts_config', 'c.oid')}`,
    told: {
      parser: `(select ${named('p.prsnamespace', 'p.prsname')} from pg_ts_parser p where p.oid = c.cfgparser)`,
      mappings: `(select string_agg(concat_ws(' ', maptokentype, mapdict::regdictionary), ', ' order by maptokentype, mapseqno)
        from pg_ts_config_map where mapcfg = c.oid)`,
      owner: ownerName('c.cfgowner'),
    },
    texts: { comment: comment('pg_ts_config', 'c.oid') },
  },
  'text search dictionary': {
    name: 'd.oid::regdictionary',
    from: `pg_ts_dict d join space on space.oid = d.dictnamespace where ${isOwn('pg_ts_dict', 'd.oid')}`,
    told: {
      template: `(select ${named('t.tmplnamespace', 't.tmplname')} from pg_ts_template t where t.oid = d.dicttemplate)`,
      owner: ownerName('d.dictowner'),
    },
    texts: { options: 'd.dictinitoption', comment: comment('pg_ts_dict', 'd.oid') },
  },
  'text search parser': {
    name: named('p.prsnamespace', 'p.prsname'),
    from: `pg_ts_parser p join space on space.oid = p.prsnamespace where ${isOwn('pg_ts_parser', 'p.oid')}`,
    told: {
      functions: `concat_ws(' ', p.prsstart::regprocedure, p.prstoken::regprocedure, p.prsend::regprocedure, ${routine('p.prsheadline')}, p.prslextype::regprocedure)`,
    },
    texts: { comment: comment('pg_ts_parser', 'p.oid') },
  },
  'text search template': {
    name: named('t.tmplnamespace', 't.tmplname'),
    from: `pg_ts_template t join space on space.oid = t.tmplnamespace where ${isOwn('pg_ts_template', 't.oid')}`,
    told: { functions: `concat_ws(' ', ${routine('t.tmplinit')}, t.tmpllexize::regprocedure)` },
    texts: { comment: comment('pg_ts_template', 't.oid') },
  },
  'default privileges': {
    name: `concat_ws(' ', 'of', ${ownerName('d.defaclrole')}, 'in ' || nullif(d.defaclnamespace, 0)::regnamespace, 'for',
      case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'routines' when 'T' then 'types'
        when 'n' then 'schemas' else 'large objects' end)`,
    from: 'pg_default_acl d',
    told: {
      privileges: `(select string_agg(item::text, ' ' order by item::text collate "C") from unnest(d.defaclacl) item)`,
    },
    texts: {},
  },
  'event trigger': {
    name: 'quote_ident(e.evtname)',
    from: `pg_event_trigger e where ${isOwn('pg_event_trigger', 'e.oid')}`,
    told: {
      event: 'e.evtevent',
      tags: `array_to_string(e.evttags, ', ')`,
      function: routine('e.evtfoid'),
      enabled: `case e.evtenabled when 'O' then 'yes' when 'D' then 'no' when 'R' then 'replica' else 'always' end`,
      owner: ownerName('e.evtowner'),
    },
    texts: { comment: comment('pg_event_trigger', 'e.oid') },
  },
  publication: {
    name: 'quote_ident(p.pubname)',
    from: `pg_publication p where ${isOwn('pg_publication', 'p.oid')}`,
    told: {
      // Later major versions have more columns.
      publishes: `to_jsonb(p) - '{oid,pubname,pubowner}'::text[]`,
      // By names, where PostgreSQL has numbers of columns; since 15.
      tables: `(select string_agg(r.prrelid::regclass || coalesce((select format(' (%s)', string_agg(quote_ident(a.attname), ', ' order by a.attname))
          from pg_attribute a where a.attrelid = r.prrelid and a.attnum = any (string_to_array(to_jsonb(r) ->> 'prattrs', ' ')::int2[])), ''),
        ', ' order by r.prrelid::regclass::text) from pg_publication_rel r where r.prpubid = p.oid)`,
      owner: ownerName('p.pubowner'),
    },
    texts: {
      conditions: `(select string_agg(to_jsonb(t) ->> 'rowfilter', ' ' order by t.schemaname, t.tablename) from pg_publication_tables t where t.pubname = p.pubname)`,
      comment: comment('pg_publication', 'p.oid'),
    },
  },
  language: {
    name: 'quote_ident(l.lanname)',
    from: `pg_language l where ${isMade('pg_language', 'l.oid')}`,
    told: {
      trusted: 'l.lanpltrusted',
      functions: `concat_ws(' ', ${routine('l.lanplcallfoid')}, ${routine('l.laninline')}, ${routine('l.lanvalidator')})`,
      owner: ownerName('l.lanowner'),
      privileges: rights('l.lanacl', 'l', 'l.lanowner'),
    },
    texts: { comment: comment('pg_language', 'l.oid') },
  },
  transform: {
    name: `t.trftype::regtype || ' for ' || (select lanname from pg_language l where l.oid = t.trflang)`,
    from: `pg_transform t where ${isMade('pg_transform', 't.oid')}`,
    told: { functions: `concat_ws(' ', ${routine('t.trffromsql')}, ${routine('t.trftosql')})` },
    texts: { comment: comment('pg_transform', 't.oid') },
  },
  'access method': {
    name: 'quote_ident(a.amname)',
    from: `pg_am a where ${isMade('pg_am', 'a.oid')}`,
    told: { kind: 'a.amtype', handler: 'a.amhandler::oid::regprocedure' },
    texts: { comment: comment('pg_am', 'a.oid') },
  },
  'foreign-data wrapper': {
    name: 'quote_ident(f.fdwname)',
    from: `pg_foreign_data_wrapper f where ${isOwn('pg_foreign_data_wrapper', 'f.oid')}`,
    told: {
      functions: `concat_ws(' ', ${routine('f.fdwhandler')}, ${routine('f.fdwvalidator')})`,
      owner: ownerName('f.fdwowner'),
      privileges: rights('f.fdwacl', 'F', 'f.fdwowner'),
    },
    texts: {
      options: `array_to_string(f.fdwoptions, ', ')`,
      comment: comment('pg_foreign_data_wrapper', 'f.oid'),
    },
  },
  'foreign server': {
    name: 'quote_ident(s.srvname)',
    from: `pg_foreign_server s where ${isOwn('pg_foreign_server', 's.oid')}`,
    told: {
      wrapper:
        '(select quote_ident(fdwname) from pg_foreign_data_wrapper f where f.oid = s.srvfdw)',
      type: 's.srvtype',
      version: 's.srvversion',
      owner: ownerName('s.srvowner'),
      privileges: rights('s.srvacl', 'S', 's.srvowner'),
    },
    texts: {
      options: `array_to_string(s.srvoptions, ', ')`,
      comment: comment('pg_foreign_server', 's.oid'),
    },
  },
  'user mapping': {
    name: `case u.umuser when 0 then 'public' else quote_ident(pg_get_userbyid(u.umuser)) end || ' for ' || quote_ident(u.srvname)`,
    of: 'quote_ident(u.srvname)',
    from: 'pg_user_mappings u',
    told: {},
    texts: { options: `array_to_string(u.umoptions, ', ')` },
  },
}
