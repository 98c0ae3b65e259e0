import {
  columnsInOrder,
  comment,
  isOwn,
  named,
  ownerName,
  rights,
  routine,
  type ObjectClass,
} from './object-class.ts'

const tablespace = `(select quote_ident(spcname) from pg_tablespace s where s.oid = c.reltablespace)`
const method = `(select quote_ident(amname) from pg_am a where a.oid = c.relam)`
const parents = `(select string_agg(inhparent::regclass::text, ', ' order by inhseqno) from pg_inherits where inhrelid = c.oid)`
const options = `concat_ws(', ', array_to_string((select array_agg(o order by o) from unnest(c.reloptions) o), ', '),
  (select 'toast: ' || array_to_string(t.reloptions, ', ') from pg_class t where t.oid = c.reltoastrelid))`

function relations(kinds: string, more = ''): string {
  return `pg_class c join space on space.oid = c.relnamespace ${more}
    where c.relkind in (${kinds}) and ${isOwn('pg_class', 'c.oid')}`
}

/** Classes of what tables are made of, by the word that people read. */
export const relationClasses: Readonly<Record<string, ObjectClass>> = {
  table: {
    name: 'c.oid::regclass',
    from: relations(`'r', 'p', 'f'`, 'left join pg_foreign_table f on f.ftrelid = c.oid'),
    told: {
      kind: `case c.relkind when 'p' then 'partitioned' when 'f' then 'foreign' else 'ordinary' end`,
      persistence: `case c.relpersistence when 'u' then 'unlogged' else 'permanent' end`,
      parents,
      'row security': `concat_ws(', ', case when c.relrowsecurity then 'on' else 'off' end, case when c.relforcerowsecurity then 'forced' end)`,
      'replica identity': `concat_ws(' ', c.relreplident, (select indexrelid::regclass from pg_index where indrelid = c.oid and indisreplident))`,
      'access method': method,
      tablespace,
      options,
      'type of its rows': `nullif(c.reloftype, 0)::regtype`,
      server: `(select quote_ident(srvname) from pg_foreign_server s where s.oid = f.ftserver)`,
      'order of columns': columnsInOrder('c.oid'),
      owner: ownerName('c.relowner'),
      privileges: rights('c.relacl', 'r', 'c.relowner'),
    },
    texts: {
      'partition key': 'pg_get_partkeydef(c.oid)',
      'partition bound': 'pg_get_expr(c.relpartbound, c.oid)',
      'options of the server': `array_to_string(f.ftoptions, ', ')`,
      comment: comment('pg_class', 'c.oid'),
    },
  },
  view: {
    name: 'c.oid::regclass',
    from: relations(`'v', 'm'`),
    told: {
      kind: `case c.relkind when 'm' then 'materialized' else 'ordinary' end`,
      populated: 'c.relispopulated',
      'access method': method,
      tablespace,
      options,
      owner: ownerName('c.relowner'),
      privileges: rights('c.relacl', 'r', 'c.relowner'),
    },
    texts: { definition: 'pg_get_viewdef(c.oid)', comment: comment('pg_class', 'c.oid') },
  },
  column: {
    name: `c.oid::regclass || '.' || quote_ident(a.attname)`,
    of: 'c.oid::regclass',
    from: `pg_attribute a join pg_class c on c.oid = a.attrelid join space on space.oid = c.relnamespace
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where c.relkind in ('r', 'p', 'f', 'v', 'm', 'c') and a.attnum > 0 and not a.attisdropped and ${isOwn('pg_class', 'c.oid')}`,
    told: {
      type: 'format_type(a.atttypid, a.atttypmod)',
      // Since 18 it is a constraint with a name, which a dump of an older server does not have.
      'not null': `case when not a.attnotnull then 'no' when exists (select from pg_constraint k where k.conrelid = a.attrelid
        and k.contype = 'n' and k.conkey = array[a.attnum] and not k.convalidated) then 'not valid' else 'yes' end`,
      identity: `case a.attidentity when 'a' then 'always' when 'd' then 'by default' end`,
      generated: `case a.attgenerated when 's' then 'stored' when 'v' then 'virtual' end`,
      collation: `nullif(a.attcollation, 0)::regcollation`,
      storage: 'a.attstorage',
      compression: `nullif(a.attcompression, '')`,
      'statistics target': `nullif(a.attstattarget, -1)`,
      options: `array_to_string(a.attoptions, ', ')`,
      'declared here': 'a.attislocal',
      privileges: `(select string_agg(item::text, ' ' order by item::text collate "C") from unnest(a.attacl) item)`,
    },
    texts: {
      default: 'pg_get_expr(d.adbin, d.adrelid)',
      'options of the server': `array_to_string(a.attfdwoptions, ', ')`,
      comment: 'col_description(a.attrelid, a.attnum)',
    },
  },
  constraint: {
    name: `coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text) || '.' || quote_ident(k.conname)`,
    of: `coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text)`,
    from: `pg_constraint k join space on space.oid = k.connamespace
      where k.contype in ('c', 'f', 'p', 'u', 'x') and ${isOwn('pg_class', 'k.conrelid')} and ${isOwn('pg_type', 'k.contypid')}`,
    told: {
      kind: `case k.contype when 'c' then 'check' when 'f' then 'foreign key' when 'p' then 'primary key' when 'u' then 'unique' else 'exclude' end`,
      validated: 'k.convalidated',
      deferrable: `case when k.condeferred then 'initially deferred' when k.condeferrable then 'initially immediate' else 'no' end`,
      inherited: `case when k.connoinherit then 'never' when k.conislocal then 'declared here' else 'from above' end`,
      // Since 18.
      enforced: `coalesce(to_jsonb(k) ->> 'conenforced', 'true')`,
    },
    texts: {
      definition: `regexp_replace(pg_get_constraintdef(k.oid), '( NO INHERIT| NOT DEFERRABLE| DEFERRABLE| INITIALLY DEFERRED| NOT VALID| NOT ENFORCED)+$', '')`,
      comment: comment('pg_constraint', 'k.oid'),
    },
  },
  index: {
    name: 'c.oid::regclass',
    // That of a constraint is not told without it.
    of: `coalesce((select k.conrelid::regclass || '.' || quote_ident(k.conname) from pg_constraint k
      where k.conindid = c.oid and k.contype in ('p', 'u', 'x') limit 1), i.indrelid::regclass::text)`,
    from: `pg_index i join ${relations(`'i', 'I'`).replace('pg_class c', 'pg_class c on c.oid = i.indexrelid')} and ${isOwn('pg_class', 'i.indrelid')}`,
    told: {
      method,
      unique: 'i.indisunique',
      valid: 'i.indisvalid',
      clustered: 'i.indisclustered',
      parents,
      tablespace,
    },
    texts: {
      definition: 'pg_get_indexdef(i.indexrelid)',
      comment: comment('pg_class', 'c.oid'),
    },
  },
  sequence: {
    name: 'c.oid::regclass',
    of: `(select d.refobjid::regclass || '.' || quote_ident(a.attname) from pg_depend d
      join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
      where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i'))`,
    from: relations(`'S'`, 'join pg_sequence q on q.seqrelid = c.oid'),
    told: {
      type: 'q.seqtypid::regtype',
      start: 'q.seqstart',
      increment: 'q.seqincrement',
      minimum: 'q.seqmin',
      maximum: 'q.seqmax',
      cache: 'q.seqcache',
      cycles: 'q.seqcycle',
      persistence: `case c.relpersistence when 'u' then 'unlogged' else 'permanent' end`,
      'owned by': `(select d.refobjid::regclass || '.' || quote_ident(a.attname) from pg_depend d
        join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
        where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i'))`,
      owner: ownerName('c.relowner'),
      privileges: rights('c.relacl', 's', 'c.relowner'),
    },
    texts: { comment: comment('pg_class', 'c.oid') },
  },
  trigger: {
    name: `quote_ident(t.tgname) || ' on ' || t.tgrelid::regclass`,
    of: 't.tgrelid::regclass',
    from: `pg_trigger t join pg_class c on c.oid = t.tgrelid join space on space.oid = c.relnamespace
      where not t.tgisinternal and ${isOwn('pg_class', 'c.oid')}`,
    told: {
      function: routine('t.tgfoid'),
      enabled: `case t.tgenabled when 'O' then 'yes' when 'D' then 'no' when 'R' then 'replica' else 'always' end`,
    },
    texts: {
      definition: 'pg_get_triggerdef(t.oid)',
      comment: comment('pg_trigger', 't.oid'),
    },
  },
  rule: {
    name: `quote_ident(r.rulename) || ' on ' || r.ev_class::regclass`,
    of: 'r.ev_class::regclass',
    from: `pg_rewrite r join pg_class c on c.oid = r.ev_class join space on space.oid = c.relnamespace
      where r.rulename <> '_RETURN' and ${isOwn('pg_class', 'c.oid')}`,
    told: {
      enabled: `case r.ev_enabled when 'O' then 'yes' when 'D' then 'no' when 'R' then 'replica' else 'always' end`,
    },
    texts: { definition: 'pg_get_ruledef(r.oid)', comment: comment('pg_rewrite', 'r.oid') },
  },
  policy: {
    name: `quote_ident(p.polname) || ' on ' || p.polrelid::regclass`,
    of: 'p.polrelid::regclass',
    from: `pg_policy p join pg_class c on c.oid = p.polrelid join space on space.oid = c.relnamespace
      where ${isOwn('pg_class', 'c.oid')}`,
    told: {
      command: `case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end`,
      permissive: 'p.polpermissive',
      roles: `(select string_agg(case role when 0 then 'public' else quote_ident(pg_get_userbyid(role)) end, ', '
        order by pg_get_userbyid(role)) from unnest(p.polroles) role)`,
    },
    texts: {
      using: 'pg_get_expr(p.polqual, p.polrelid)',
      check: 'pg_get_expr(p.polwithcheck, p.polrelid)',
      comment: comment('pg_policy', 'p.oid'),
    },
  },
  statistics: {
    name: named('s.stxnamespace', 's.stxname'),
    of: 's.stxrelid::regclass',
    from: `pg_statistic_ext s join space on space.oid = s.stxnamespace where ${isOwn('pg_statistic_ext', 's.oid')}`,
    told: { target: 'nullif(s.stxstattarget, -1)', owner: ownerName('s.stxowner') },
    texts: {
      definition: 'pg_get_statisticsobjdef(s.oid)',
      comment: comment('pg_statistic_ext', 's.oid'),
    },
  },
}
