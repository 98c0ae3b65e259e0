/** A condition of the guard, how it is taken out, and which test should fail then. */
export interface Mutation {
  /** What is not looked at any more. */
  readonly without: string
  readonly file: string
  /** Stands once in the file. */
  readonly take: string
  /** In its place; nothing where it is left out. */
  readonly put?: string
  /** A file of tests. Of `guard` those are rows of the truth table. */
  readonly test:
    | 'guard'
    | 'guard-others'
    | 'guard-reports'
    | 'guard-steps'
    | 'rehearse'
    | 'verdict'
    | 'no-transaction'
  /** The names of tests, a regular expression. */
  readonly noticedBy: string
  /** Where it is about the oldest version only. */
  readonly major?: 14 | 18
  /** The test runs as both roles. */
  readonly asSuperuser?: boolean
  /** Without it the server raises an error of its own, by which it is noticed. */
  readonly fails?: true
}

type Short = readonly [
  without: string,
  take: string,
  put: string,
  noticedBy: string,
  more?: Partial<Mutation>,
]

function of(file: string, list: readonly Short[]): Mutation[] {
  return list.map(([without, take, put, noticedBy, more]) => ({
    without,
    file,
    take,
    put,
    noticedBy,
    test: 'guard',
    ...more,
  }))
}

const others = { test: 'guard-others' } as const
const steps = { test: 'guard-steps' } as const
const reports = { test: 'guard-reports' } as const
const inRehearsal = { test: 'rehearse' } as const
const oldest = { major: 14 } as const
const fails = { fails: true } as const

/** What is watched: which tables, and since when. */
const watch = of('src/postgres/guard-watch.ts', [
  [
    'the named tables that are trees',
    'up.oid = any (guarded) or ${isGuardedSpace}',
    '${isGuardedSpace}',
    '^DELETE on a partition',
  ],
  [
    'the named tables that are in no tree',
    'case when c.oid = any (guarded) or ${isGuardedSpace} then',
    'case when ${isGuardedSpace} then',
    '^DELETE of one row$',
  ],
  [
    'the tables of patterns that are in no tree',
    'case when c.oid = any (guarded) or ${isGuardedSpace} then',
    'case when c.oid = any (guarded) then',
    'by a pattern$',
  ],
  [
    'that a part is looked at with its tree',
    ' and not exists (select from pg_inherits where inhrelid = c.oid) then',
    ' then',
    '^DELETE on a partition',
  ],
  [
    'the tables of patterns that are trees',
    'up.oid = any (guarded) or ${isGuardedSpace}',
    'up.oid = any (guarded)',
    '^a partition of a table that a pattern guards',
  ],
  [
    'the pattern of a schema',
    `n.nspname = any (spaces) or '*' = any (spaces)`,
    `'*' = any (spaces)`,
    'by a pattern$',
  ],
  [
    'the pattern of all',
    `n.nspname = any (spaces) or '*' = any (spaces)`,
    'n.nspname = any (spaces)',
    String.raw`by \*$`,
  ],
  [
    'the whole look where names are given',
    'if cardinality(guarded) > 0 or cardinality(spaces) > 0',
    'if cardinality(spaces) > 0',
    '^DELETE of one row$',
  ],
  [
    'the whole look where a pattern is given',
    'if cardinality(guarded) > 0 or cardinality(spaces) > 0',
    'if cardinality(guarded) > 0',
    'by a pattern$',
  ],
  ['the tree above a part', 'where up.depth < 100', 'where false', '^DELETE on a partition'],
  [
    'the uppermost table of the tree',
    'order by up.depth desc',
    'order by up.depth',
    'each part guarded',
  ],
  [
    'only what has rows of its own',
    'when c.relkind in ${tables} and not exists',
    'when not exists',
    '^a materialized view is refreshed',
  ],
  [
    'rows deleted from the ledger',
    'or pg_stat_get_xact_tuples_deleted(c.oid) > 0)`',
    ')`',
    '^rows of the ledger deleted',
  ],
  [
    'what is done to the ledger itself',
    '(held.level > 1 or pg_stat_get_xact_tuples_deleted',
    '(pg_stat_get_xact_tuples_deleted',
    '^a trigger on the ledger',
  ],
  [
    'columns that were there before the file',
    'a.attnum > 0 and not a.attisdropped\n      ) end`',
    'a.attnum > 0\n      ) end`',
    '^a column more, where',
  ],
  ['schemas that get another name', " or relation = 'pg_namespace'::regclass", '', '^ALTER SCHEMA'],
  [
    'named tables in such a schema',
    '(c.oid = any (guarded) or ${isGuardedSpace})',
    '${isGuardedSpace}',
    '^ALTER SCHEMA',
  ],
  [
    'tables of a pattern in such a schema',
    '(c.oid = any (guarded) or ${isGuardedSpace})',
    'c.oid = any (guarded)',
    '^the same, where a pattern',
  ],
  [
    'figures that PostgreSQL 14 has not sent yet',
    '< 150000',
    '< 0',
    '^deletes that a file is allowed',
    { ...others, ...oldest },
  ],
  [
    'figures of the ledger that are not sent yet',
    "earlier := jsonb_build_object(${ownTables.map((table) => ownDeleted(s, table)).join(', ')});",
    "earlier := '{}';",
    '^what is taken back',
    steps,
  ],
  [
    'the figures and locks of files before, in a rehearsal',
    'if is_again then',
    'if false then',
    '^exact mode decides in a rehearsal|^effects, locks',
    inRehearsal,
  ],
  [
    'what earlier statements of the file have lost',
    'if of_file is not null then',
    'if false then',
    '^a bound is for all statements',
    steps,
  ],
])

/** The cheap look behind the file. */
const look = of('src/postgres/guard-look.ts', [
  ['rows deleted', ' or deleted > 0 or not is_there', ' or not is_there', '^DELETE of one row$'],
  [
    'a table that is gone',
    ' or not is_there or was.file',
    ' or was.file',
    '^DROP of a table that has rows',
  ],
  [
    'a table that has become a view',
    'is_there := found and is_now.kind = coalesce(was.kind, is_now.kind);',
    'is_there := found;',
    'turns into a view',
    oldest,
  ],
  ['another file of the table', ' or was.file <> is_now.file;', ';', '^TRUNCATE$'],
  [
    'a part that may have left its tree',
    'was.oid <> was.root or was.name',
    'was.name',
    '^DETACH PARTITION$|^NO INHERIT$',
  ],
  ['another name', ' or was.name <> is_now.name', '', '^RENAME, and a view of the old name$'],
  ['another schema', ' or was.space <> is_now.space\n', '\n', '^SET SCHEMA$'],
  [
    'a schema of another name',
    '          is_suspicious := true;',
    '          null;',
    '^ALTER SCHEMA',
  ],
  [
    'columns',
    'where not exists (\n                  select from pg_attribute a',
    'where false and not exists (\n                  select from pg_attribute a',
    '^DROP COLUMN$',
  ],
  [
    'columns that are there no more',
    'a.attnum = c.number::int and not a.attisdropped',
    'a.attnum = c.number::int',
    '^DROP COLUMN$',
  ],
  [
    'what no file has touched',
    'continue when was.oid < 16384;',
    '',
    '^tables that the application drops',
    others,
  ],
  [
    'the text of the look back',
    'and c.statement in (',
    'or c.statement in (',
    '^a cursor that tells',
  ],
  [
    'where the look back stands',
    'if guards and left_of_look is distinct from 0',
    'if false',
    '^MOVE ALL|^a row fetched',
  ],
  ['an altered ledger', 'if is_altered then', 'if false then', '^a trigger on the ledger'],
  [
    'an index on the ledger',
    "lockModes.indexOf('SHARE') + 1",
    "lockModes.indexOf('SHARE ROW EXCLUSIVE') + 1",
    '^an index on the ledger',
  ],
  [
    'ANALYZE of the ledger, which is harmless',
    "lockModes.indexOf('SHARE') + 1",
    '2',
    '^CREATE INDEX, REINDEX',
  ],
  [
    'heirs of the ledger',
    'or exists (select from pg_inherits where inhparent = was.oid)',
    '',
    '^a child of the ledger',
  ],
  [
    'changed functions',
    'if guards and exists (',
    'if false and exists (',
    '^lockstep.watch replaced',
  ],
  ['when functions were changed', ' and age(p.xmin) <= 0', '', '^INSERT ... ON CONFLICT'],
  [
    'a rehearsal that makes the ledger',
    'and (held_before is null or (select age(c.xmin) > 0 from pg_class c where c.oid = ${literal(`${s}.ledger`)}::regclass)) then',
    'then',
    '^effects, locks',
    inRehearsal,
  ],
  [
    'changed functions, in a rehearsal',
    '(held_before is null or (select age(c.xmin) > 0 from pg_class c where c.oid = ${literal(`${s}.ledger`)}::regclass)) then',
    'held_before is null then',
    '^behind a ledger that has rows',
    inRehearsal,
  ],
  [
    'the verdict of a second try that nothing is suspected of',
    'if is_suspicious or exact is not null then',
    'if is_suspicious then',
    '^a suspicion that the second',
    others,
  ],
  [
    'what may be lost',
    "if verdict -> 'suspects' <> '[]' then",
    'if false then',
    '^DELETE of one row$',
  ],
  [
    'what is lost',
    "elsif verdict -> 'violations' <> '[]' then",
    'elsif false then',
    '^DROP TABLE$',
  ],
  [
    'deletes before the file',
    '- coalesce((earlier -> was.oid::text ->> 2)::bigint, 0)',
    '',
    '^deletes that a file is allowed',
    { ...others, ...oldest },
  ],
  [
    'rows that a truncated table had',
    'case when was.had_rows and',
    'case when false and',
    '^without a guarded table',
    reports,
  ],
  [
    'tables that are told twice',
    'select distinct on ((r ->> 0)::oid) (r',
    'select (r',
    '^the same, with leave, and a DELETE within',
  ],
  [
    'figures before, for the judge',
    '- coalesce((earlier.figures ->> ${at})::bigint, 0))`',
    ')`',
    '^nor where the next',
    { ...others, ...oldest },
  ],
])

/** What the look means. */
const judge = of('src/postgres/guard-judge.ts', [
  ['dropped', 'from seen_tables where is_gone', 'from seen_tables where false', '^DROP TABLE$'],
  [
    'dropped by a rule that makes a view of it',
    'coalesce(c.relkind::text <> kind_was, c.oid is null and level > 0)',
    'c.oid is null',
    'turns into a view',
    oldest,
  ],
  ['dropped by this file', ' and level > 0)', ')', '^tables that the application drops', others],
  [
    'renamed',
    'where not is_gone and oid = root and full_name',
    'where false and full_name',
    '^RENAME, and a view of the old name$',
  ],
  [
    'that a part may be renamed',
    'where not is_gone and oid = root and full_name',
    'where not is_gone and full_name',
    '^RENAME of a partition',
  ],
  [
    'detached',
    'where not is_gone and not exists (',
    'where false and not exists (',
    '^DETACH PARTITION$|^NO INHERIT$',
  ],
  [
    'that a part which is dropped is not detached',
    'where not is_gone and not exists (',
    'where not exists (',
    '^a partition that is allowed by its own',
  ],
  ['unlogged', "where relpersistence = 'u' and", 'where false and', '^SET UNLOGGED$'],
  [
    'that it was logged before',
    " and persistence_was = 'p'",
    '',
    '^a DELETE that a savepoint rolls back, in a table that is unlogged',
  ],
  [
    'dropped columns',
    'from columns_now where is_dropped',
    'from columns_now where false',
    '^DROP COLUMN$',
  ],
  [
    'that a dropped table drops no columns',
    '\n          where not t.is_gone\n',
    '\n',
    '^DROP, DROP COLUMN, RENAME',
  ],
  [
    'columns of another type',
    'from columns_now where is_retyped',
    'from columns_now where false',
    'TYPE that rewrites$',
  ],
  [
    'that such a table is rewritten',
    't.is_rewritten and (a.atttypid',
    '(a.atttypid',
    '^a type that keeps its bytes',
  ],
  ['another type', 'a.atttypid::text <> w.value ->> 1 or ', '', 'TYPE that rewrites$'],
  ['a shorter type', ' or a.atttypmod::text <> w.value ->> 2', '', 'TYPE to a shorter one'],
  [
    'rows deleted',
    'from seen_tables where not is_gone and deleted > 0',
    'from seen_tables where false',
    '^DELETE of one row$',
  ],
  [
    'that PostgreSQL 14 has figures of what is dropped',
    'where not is_gone and deleted > 0',
    'where deleted > 0',
    '^a DELETE before a DROP',
    oldest,
  ],
  ['a table that is emptied', '(inserted > 0 or is_emptied)', 'inserted > 0', '^TRUNCATE$'],
  [
    'a truncate that is filled again',
    '(inserted > 0 or is_emptied)',
    'is_emptied',
    '^TRUNCATE, and as many other rows',
  ],
  [
    'a rewrite that inserts nothing',
    '(inserted > 0 or is_emptied)',
    'true',
    '^a rewrite, in a table without a key',
  ],
  [
    'that exact mode has decided',
    'decided := found.root = any (exact);',
    'decided := false;',
    '^an UPDATE that moves rows to another partition$',
  ],
  [
    'that exact mode finds nothing lost',
    'continue when found.rows = 0;',
    '',
    '^an UPDATE that moves rows to another partition$',
  ],
  [
    'the number that exact mode finds',
    'found.rows := (lost_rows ->> found.root::text)::bigint;',
    '',
    '^a DELETE within its bound, and more',
  ],
  [
    'the counters where the key is gone',
    'is_exact := lost_rows ->> found.root::text is not null;',
    'is_exact := true;',
    '^the same where there is another key',
  ],
  [
    'the words of an allowance',
    "where a -> 'words' ? found.what\n          and",
    'where',
    '^an allowance of another kind',
  ],
  [
    'the table of an allowance',
    "(a ->> 'on')::oid = found.root or array",
    'true or array',
    '^an allowance for another table',
  ],
  [
    'an allowance for the whole tree',
    "(a ->> 'on')::oid = found.root or array",
    'array',
    '^a DELETE in two partitions',
  ],
  [
    'an allowance for a part',
    " or array[(a ->> 'on')::oid] @> found.oids)",
    ')',
    '^a partition that is allowed by its own',
  ],
  [
    'that such a one is for that part alone',
    '@> found.oids)',
    '&& found.oids)',
    '^a DELETE that is allowed in one partition',
  ],
  [
    'bounds',
    '(bound is null or found.rows + spent <= bound)',
    'true',
    '^a DELETE beyond its bound',
  ],
  [
    'that there may be no bound',
    '(bound is null or found.rows + spent <= bound)',
    'found.rows + spent <= bound',
    '^a DELETE that is allowed$',
  ],
  [
    'a line without a bound beside one with',
    "case when bool_and(a ? 'atMost') then",
    'case when true then',
    '^a DELETE that two lines allow',
  ],
  [
    'bounds over all statements',
    'found.rows + spent <= bound',
    'found.rows <= bound',
    '^a bound is for all statements',
    steps,
  ],
  [
    'that the ledger is never left to a file',
    'permitted := permitted and not',
    'permitted := permitted or',
    '^an allowance for the ledger',
  ],
  [
    'exact mode',
    "verdict := 'suspects';",
    "verdict := 'violations';",
    '^an UPDATE that moves rows to another partition$',
  ],
  [
    'that tables are decided at once',
    "found.what not in ('delete', 'truncate') or decided",
    'decided',
    '^what exact mode cannot change',
    others,
  ],
  [
    'that exact mode decides once',
    "'truncate') or decided\n",
    "'truncate')\n",
    '^what exact mode cannot change',
    others,
  ],
  [
    'that the ledger is decided at once',
    'or ${s}.is_own(found.root) or ${s}.key',
    'or ${s}.key',
    '^what exact mode cannot change',
    others,
  ],
  [
    'that a table without a key is decided at once',
    ' or ${s}.key(found.root) is null then',
    ' then',
    '^what exact mode cannot change',
    others,
  ],
  ['cascades only', "where f.confdeltype = 'c' and", 'where', '^DELETE of both ends'],
  [
    'cascades that deleted something',
    '\n              and pg_stat_get_xact_tuples_deleted(f.confrelid) > 0',
    '',
    '^a refused file leaves',
    others,
  ],
  [
    'kept keys that are dropped',
    "foreach root_oid in array coalesce(exact, '{}') loop",
    "foreach root_oid in array '{}'::oid[] loop",
    '^a suspicion that the second',
    others,
  ],
  [
    'which schema is the ledger',
    ' and n.nspname = ${literal(schema)});',
    ');',
    '^a DELETE that is allowed$',
  ],
])

/** Exact mode. */
const exact = of('src/postgres/guard-exact.ts', [
  ['a key that is unique', 'i.indisunique and ', '', '^an index that is not unique'],
  ['a key whose index is valid', 'i.indisvalid and ', '', '^a unique index that an interruption'],
  ['a key over all rows', 'i.indpred is null and ', '', 'over some rows is no key'],
  ['a key of columns', ' and i.indexprs is null', '', 'over an expression is no key'],
  ['a key that is never null', 'and not a.attnotnull)', 'and false)', 'may be null is no key'],
  [
    'which columns of the index are the key',
    'select (i.indkey::int2[])[0:i.indnkeyatts - 1]',
    'select i.indkey::int2[]',
    'only includes',
  ],
  [
    'which columns of the index may not be null',
    'a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1])',
    'a.attnum = any (i.indkey::int2[])',
    'only includes',
  ],
  [
    'that nobody else writes',
    "execute format('lock table %s in %s mode', root::regclass, mode);",
    'null;',
    '^a writer in the way',
    others,
  ],
  [
    'whole rows of what was truncated',
    'case when root = any (refilled) and keys is not null',
    'case when false',
    'RESTART IDENTITY',
  ],
  [
    'that a table may have no key',
    ' and keys is not null then',
    ' then',
    '^a TRUNCATE and other rows in a table without',
    fails,
  ],
  [
    'rows that may not be read',
    'exception when insufficient_privilege then',
    'exception when division_by_zero then',
    '^the same, by a cascade',
  ],
  [
    'key columns of another type',
    "case when a.atttypid = k.atttypid then format('t.%I', a.attname) else format('t.%I::text', a.attname) end",
    "format('t.%I', a.attname)",
    '^a key that gets another type',
    fails,
  ],
  [
    'key columns that are dropped',
    'a.attnum = k.attnum and not a.attisdropped',
    'a.attnum = k.attnum',
    '^the same where there is another key',
    fails,
  ],
  [
    'a table without kept keys',
    'if keys is null or found_keys',
    'if found_keys',
    '^a DELETE in a table without a key, which',
  ],
  [
    'a part of the key that is dropped',
    'if keys is null or found_keys < all_keys then',
    'if keys is null then',
    '^one of two columns of the key',
  ],
  [
    'that columns of a partition key may change',
    'if is_unique then',
    'if false then',
    '^an UPDATE that moves rows to another partition$',
  ],
  [
    'that the rest of the key must be unique',
    'if is_unique then',
    'if true then',
    'not unique without',
  ],
  [
    'what was truncated and filled again',
    'if is_refilled and exists',
    'if false and exists',
    'RESTART IDENTITY',
  ],
  [
    'a truncate that is allowed',
    "if is_refilled and exists (select from pg_attribute where attrelid = kept and attname ~ '^h' and attnum > 0) then",
    'if is_refilled then',
    '^a TRUNCATE that is allowed, other rows',
  ],
  [
    'only columns that were there before',
    'a.attnum between 1 and substr(h.attname, 2)::int',
    'a.attnum > 0',
    '^a column more, TRUNCATE',
  ],
  ['rows as multisets', 'except all select', 'except select', '^a row deleted in a child table'],
  [
    'children that a crash empties',
    'case when fleeting is not null then',
    'case when false then',
    '^rows moved to a new child table that is unlogged|temporary$',
  ],
  [
    'that other children are as good as the table',
    "c.relpersistence <> 'p' and age",
    'age',
    '^rows moved to a new child table$',
  ],
  [
    'that such children may have been there before',
    ' and age(i.xmin) <= 0',
    '',
    'in a tree with an unlogged child',
  ],
  [
    'that a rewrite is no truncate',
    'if found_rows <= (one ->> 1)::bigint then',
    'if true then',
    '^a rewrite, an UPDATE',
  ],
  [
    'that a truncate is no rewrite',
    'if found_rows <= (one ->> 1)::bigint then',
    'if false then',
    'RESTART IDENTITY',
  ],
])

/** The statements around a file. */
const around = of('src/postgres/envelope.ts', [
  [
    'deferred triggers before the look',
    'SET CONSTRAINTS ALL IMMEDIATE;SET CONSTRAINTS ALL IMMEDIATE;',
    '',
    '^a deferred constraint trigger',
  ],
  [
    'deferred triggers of deferred triggers',
    'SET CONSTRAINTS ALL IMMEDIATE;SET CONSTRAINTS ALL IMMEDIATE;',
    'SET CONSTRAINTS ALL IMMEDIATE;',
    '^a deferred trigger that defers',
  ],
  [
    'cursors that are closed before COMMIT',
    "'CLOSE ALL;',\n    // A file",
    "'CLOSE lockstep_guard;',\n    // A file",
    'WITH HOLD',
  ],
  [
    'the role and settings of before, behind the file',
    '${care.behind}${care.reset}`',
    '${care.behind}`',
    '^SET ROLE',
    { asSuperuser: true },
  ],
  [
    'a search_path of pg_catalog behind the file',
    "'SET LOCAL search_path=pg_catalog,pg_temp;',",
    "'',",
    '^the same, with an operator',
  ],
  [
    'that lockstep.close is as it was',
    'guards && !isRehearsal ? closeStays(terms)',
    "guards && isRehearsal ? ''",
    '^lockstep.close replaced',
  ],
  [
    'temporary tables that go before the next file',
    'DEALLOCATE ALL;DISCARD TEMP;',
    'DEALLOCATE ALL;',
    '^a temporary table of the guarded name hides',
    others,
  ],
])

const elsewhere = [
  ...of('src/postgres/ledger-format.ts', [
    [
      'a search_path of its own',
      'set search_path = pg_catalog, pg_temp set plan',
      'set plan',
      '^a decoy of PostgreSQL’s list',
    ],
  ]),
  ...of('src/postgres/settings.ts', [
    ['row security that is off', "'row_security=off',", '', '^FORCE ROW LEVEL'],
    [
      'figures that are sent behind each file',
      'return major >= 15 ?',
      'return major >= 99 ?',
      '^deletes that a file is allowed',
      others,
    ],
  ]),
  ...of('src/files/session-state.ts', [
    [
      'the refusal to stop counting',
      'track_counts: {',
      'track_nothing: {',
      '^track_counts switched off',
      { asSuperuser: true },
    ],
  ]),
  ...of('src/postgres/apply.ts', [
    [
      'what may not be read, in words',
      'if (suspicion && error.sqlState === ledgerStates.unreadable) return unreadable(suspicion)',
      '',
      '^the same, by a cascade',
    ],
    [
      'figures that are sent behind a try',
      "if (send !== '') {",
      "if (send === '-') {",
      '^a DELETE within its bound in a table without a key',
    ],
    [
      'the time that PostgreSQL 14 takes to send them',
      '\n    await pause(oldServersSendAfterMs)',
      '',
      '^a DELETE within its bound in a table without a key',
      oldest,
    ],
  ]),
  ...of('src/postgres/verdict.ts', [
    [
      'a lock as strong as the file needs',
      '...findings.map((finding) => finding.level)',
      '',
      '^tables are locked',
      { test: 'verdict' },
    ],
    [
      'a lock that lets nobody write',
      'Math.max(weakest, ',
      'Math.max(',
      '^tables are locked',
      { test: 'verdict' },
    ],
    [
      'which tables may have been truncated',
      "suspects.filter(({ what }) => what === 'truncate')",
      'suspects',
      '^of what may have been truncated',
      { test: 'verdict' },
    ],
    [
      'what the first try was suspected of',
      '[...earlier.#verdict.suspects, ...this.#verdict.suspects]',
      'this.#verdict.suspects',
      '^suspicions of several',
      { test: 'verdict' },
    ],
    [
      'suspects',
      'return read.suspects.length > 0',
      'return false',
      '^an UPDATE that moves rows to another partition$',
    ],
  ]),
  ...of('src/postgres/exact-mode.ts', [
    ['an end of tries', ' || tries === mostTries', '', '^a file that loses something else', others],
    [
      'that several tries are decided together',
      'suspicion = error.joined(suspicion)',
      'suspicion = error',
      '^what several tries',
      others,
    ],
  ]),
  ...of('src/postgres/guard.ts', [
    ['a bound', 'atMost === undefined ?', 'true ?', '^a DELETE beyond its bound'],
    [
      'that files before it are in the same transaction',
      "...(isRehearsal ? ['true'] : [])",
      '',
      '^exact mode decides in a rehearsal|^effects, locks',
      { ...inRehearsal, ...fails },
    ],
  ]),
  ...of('src/postgres/census.ts', [
    [
      'what a name meant when the run began',
      'return isBare && full !== undefined ?',
      'return full === undefined ?',
      '^what a name means',
      others,
    ],
    [
      'that such names have no schema',
      'patterns[index]?.isAll === false && patterns[index].schema === undefined',
      'false',
      '^what a name means',
      others,
    ],
  ]),
  ...of('src/guarded.ts', [
    [
      'a name that comes to mean another table',
      'return other === undefined || other.schema === schema',
      'return true',
      '^a name that means another',
      others,
    ],
    [
      'a warning of losses where nothing is guarded',
      'if (lost.length > 0)',
      'if (false)',
      '^without a guarded table',
      reports,
    ],
    [
      'a warning of what guards nothing',
      'if (what === undefined) continue',
      'continue',
      '^what has a guarded name',
      reports,
    ],
    [
      'names that no table has',
      'for (const text of [...(await missingNames(on, census)), ',
      'for (const text of [',
      '^a name that no table has',
      reports,
    ],
    ['the time for counts', 'untilMs - performance.now()', '60_000', '^beyond the budget', reports],
  ]),
  ...of('src/postgres/guarded-trees.ts', [
    ['leave to detach', "words.includes('detach')", 'false', '^leave to detach', steps],
    [
      'leave for all parts',
      'tree.root = any (${mayGo}) or tree',
      'tree',
      '^leave to detach',
      steps,
    ],
    ['leave for one part', ' or tree.oid = any (${mayGo})', '', '^to detach a partition', steps],
    [
      'which leave it is',
      "words.includes('detach')",
      'true',
      '^leave to drop is none to detach',
      steps,
    ],
    [
      'what the statement would detach',
      "before.way === 'detach' ?",
      "before.way !== 'detach' ?",
      '^to detach a partition',
      steps,
    ],
  ]),
  ...of('src/postgres/stepwise.ts', [
    [
      'a look before a statement alone',
      '  refuseLoss(trees, withoutDetached',
      '  if (false) refuseLoss(trees, withoutDetached',
      '^to detach a partition',
      steps,
    ],
    [
      'a look behind it',
      '  refuseLoss(trees, await treesOf',
      '  if (false) refuseLoss(trees, await treesOf',
      '^what a statement alone',
      steps,
    ],
    [
      'calls that commit by themselves',
      "if (error.sqlState === '2D000' && terms.guardTables.length > 0)",
      'if (false)',
      '^where the guard asks for it',
      { test: 'no-transaction' },
    ],
  ]),
  ...of('src/postgres/window.ts', [
    [
      'a second try',
      'if (!(error instanceof Suspicion)) throw error',
      'throw error',
      '^an UPDATE that moves rows to another partition$',
    ],
  ]),
  ...of('src/postgres/rehearse.ts', [
    [
      'leave that nothing needs',
      'if (losses === undefined || guardTables.length === 0) return []',
      'return []',
      '^effects, locks',
      inRehearsal,
    ],
    ['leave for another table', 'loss.oid === oid ||', 'true ||', '^effects, locks', inRehearsal],
  ]),
]

export const mutations: readonly Mutation[] = [
  ...watch,
  ...look,
  ...judge,
  ...exact,
  ...around,
  ...elsewhere,
]
