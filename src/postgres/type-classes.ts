import {
  columnsInOrder,
  comment,
  isMade,
  isOwn,
  named,
  ownerName,
  rights,
  routine,
  type ObjectClass,
} from './object-class.ts'

function types(kind: string, more = ''): string {
  return `pg_type t join space on space.oid = t.typnamespace ${more} where ${kind} and ${isOwn('pg_type', 't.oid')}`
}

const typeOwner = {
  owner: ownerName('t.typowner'),
  privileges: rights('t.typacl', 'T', 't.typowner'),
}
const typeComment = { comment: comment('pg_type', 't.oid') }

/** Classes of what values are and what is done with them, by the word that people read. */
export const typeClasses: Readonly<Record<string, ObjectClass>> = {
  routine: {
    name: 'p.oid::regprocedure',
    from: `pg_proc p join space on space.oid = p.pronamespace where ${isOwn('pg_proc', 'p.oid')}
      and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'i')`,
    told: {
      kind: `case p.prokind when 'f' then 'function' when 'p' then 'procedure' when 'a' then 'aggregate' else 'window function' end`,
      result: 'pg_get_function_result(p.oid)',
      'names of arguments': 'pg_get_function_identity_arguments(p.oid)',
      language: '(select quote_ident(lanname) from pg_language l where l.oid = p.prolang)',
      volatility: `case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end`,
      parallel: `case p.proparallel when 's' then 'safe' when 'r' then 'restricted' else 'unsafe' end`,
      strict: 'p.proisstrict',
      'security definer': 'p.prosecdef',
      leakproof: 'p.proleakproof',
      cost: 'p.procost',
      rows: 'p.prorows',
      support: routine('p.prosupport'),
      owner: ownerName('p.proowner'),
      privileges: rights('p.proacl', 'f', 'p.proowner'),
    },
    texts: {
      arguments: `case when p.prokind <> 'a' then pg_get_function_arguments(p.oid) end`,
      body: `concat_ws(' ', p.probin, coalesce(pg_get_function_sqlbody(p.oid), p.prosrc))`,
      settings: `array_to_string(p.proconfig, ', ')`,
      aggregate: `(select to_jsonb(g) || jsonb_build_object('aggfnoid', null, 'aggsortop', aggsortop::regoperator::text,
        'aggtranstype', aggtranstype::regtype::text, 'aggmtranstype', aggmtranstype::regtype::text) from pg_aggregate g where aggfnoid = p.oid)`,
      comment: comment('pg_proc', 'p.oid'),
    },
  },
  'enum type': {
    name: 't.oid::regtype',
    from: types(`t.typtype = 'e'`),
    told: {
      labels: `(select string_agg(quote_ident(enumlabel), ', ' order by enumsortorder) from pg_enum where enumtypid = t.oid)`,
      ...typeOwner,
    },
    texts: typeComment,
  },
  'composite type': {
    name: 't.oid::regtype',
    from: types(`c.relkind = 'c'`, 'join pg_class c on c.oid = t.typrelid'),
    told: { 'order of columns': columnsInOrder('t.typrelid'), ...typeOwner },
    texts: typeComment,
  },
  domain: {
    name: 't.oid::regtype',
    from: types(`t.typtype = 'd'`),
    told: {
      type: 'format_type(t.typbasetype, t.typtypmod)',
      'not null': 't.typnotnull',
      collation: 'nullif(t.typcollation, 0)::regcollation',
      ...typeOwner,
    },
    texts: { default: 't.typdefault', ...typeComment },
  },
  'range type': {
    name: 't.oid::regtype',
    from: types(`t.typtype = 'r'`, 'join pg_range r on r.rngtypid = t.oid'),
    told: {
      subtype: 'r.rngsubtype::regtype',
      'multirange type': 'r.rngmultitypid::regtype',
      collation: 'nullif(r.rngcollation, 0)::regcollation',
      'operator class': `(select ${named('o.opcnamespace', 'o.opcname')} from pg_opclass o where o.oid = r.rngsubopc)`,
      canonical: routine('r.rngcanonical'),
      difference: routine('r.rngsubdiff'),
      ...typeOwner,
    },
    texts: typeComment,
  },
  'base type': {
    name: 't.oid::regtype',
    from: types(
      `t.typtype in ('b', 'p') and not exists (select from pg_type e where e.typarray = t.oid)`,
    ),
    told: {
      storage: `concat_ws(' ', t.typlen, t.typbyval, t.typalign, t.typstorage, t.typcategory, t.typisdefined)`,
      functions: `concat_ws(' ', ${routine('t.typinput')}, ${routine('t.typoutput')}, ${routine('t.typreceive')}, ${routine('t.typsend')})`,
      ...typeOwner,
    },
    texts: typeComment,
  },
  cast: {
    name: `k.castsource::regtype || ' as ' || k.casttarget::regtype`,
    of: 'k.castsource::regtype',
    // That from a range to its multirange comes with the type.
    from: `pg_cast k where ${isMade('pg_cast', 'k.oid')} and not exists (select from pg_depend d
      where d.classid = 'pg_cast'::regclass and d.objid = k.oid and d.deptype = 'i')`,
    told: {
      function: routine('k.castfunc'),
      context: `case k.castcontext when 'e' then 'explicit' when 'a' then 'assignment' else 'implicit' end`,
      method: `case k.castmethod when 'f' then 'function' when 'i' then 'input and output' else 'binary' end`,
    },
    texts: { comment: comment('pg_cast', 'k.oid') },
  },
  operator: {
    name: 'o.oid::regoperator',
    from: `pg_operator o join space on space.oid = o.oprnamespace where ${isOwn('pg_operator', 'o.oid')}`,
    told: {
      function: routine('o.oprcode'),
      commutator: 'nullif(o.oprcom, 0)::regoperator',
      negator: 'nullif(o.oprnegate, 0)::regoperator',
      selectivity: `concat_ws(' ', ${routine('o.oprrest')}, ${routine('o.oprjoin')})`,
      joins: `concat_ws(' ', case when o.oprcanmerge then 'merges' end, case when o.oprcanhash then 'hashes' end)`,
      owner: ownerName('o.oprowner'),
    },
    texts: { comment: comment('pg_operator', 'o.oid') },
  },
  'operator class': {
    name: `${named('o.opcnamespace', 'o.opcname')} || ' for ' || (select amname from pg_am a where a.oid = o.opcmethod)`,
    from: `pg_opclass o join space on space.oid = o.opcnamespace where ${isOwn('pg_opclass', 'o.oid')}`,
    told: {
      type: 'o.opcintype::regtype',
      'key type': 'nullif(o.opckeytype, 0)::regtype',
      default: 'o.opcdefault',
      family: `(select ${named('f.opfnamespace', 'f.opfname')} from pg_opfamily f where f.oid = o.opcfamily)`,
      owner: ownerName('o.opcowner'),
    },
    texts: { comment: comment('pg_opclass', 'o.oid') },
  },
  'operator family': {
    name: `${named('f.opfnamespace', 'f.opfname')} || ' for ' || (select amname from pg_am a where a.oid = f.opfmethod)`,
    from: `pg_opfamily f join space on space.oid = f.opfnamespace where ${isOwn('pg_opfamily', 'f.oid')}`,
    told: {
      operators: `(select string_agg(concat_ws(' ', amopstrategy, amopopr::regoperator, amoppurpose), ', '
        order by amoplefttype::regtype::text, amoprighttype::regtype::text, amopstrategy) from pg_amop where amopfamily = f.oid)`,
      functions: `(select string_agg(concat_ws(' ', amprocnum, amproc::regprocedure), ', '
        order by amproclefttype::regtype::text, amprocrighttype::regtype::text, amprocnum) from pg_amproc where amprocfamily = f.oid)`,
      owner: ownerName('f.opfowner'),
    },
    texts: { comment: comment('pg_opfamily', 'f.oid') },
  },
  collation: {
    name: 'c.oid::regcollation',
    from: `pg_collation c join space on space.oid = c.collnamespace where ${isOwn('pg_collation', 'c.oid')}`,
    told: {
      // The columns have other names in each major version.
      definition: `to_jsonb(c) - '{oid,collname,collnamespace,collowner,collversion}'::text[]`,
      owner: ownerName('c.collowner'),
    },
    texts: { comment: comment('pg_collation', 'c.oid') },
  },
  conversion: {
    name: named('c.connamespace', 'c.conname'),
    from: `pg_conversion c join space on space.oid = c.connamespace where ${isOwn('pg_conversion', 'c.oid')}`,
    told: {
      encodings: `pg_encoding_to_char(c.conforencoding) || ' to ' || pg_encoding_to_char(c.contoencoding)`,
      function: routine('c.conproc'),
      default: 'c.condefault',
      owner: ownerName('c.conowner'),
    },
    texts: { comment: comment('pg_conversion', 'c.oid') },
  },
}
