import { Failure } from '../../src/failure.ts'
import type { Blocker, Checkpoint, Event } from '../../src/events.ts'

const failure = new Failure('SQL_FAILED', '0007_b.sql:3:5 no such table (42P01)', ['mend it'])

const blocker: Blocker = {
  pid: 8123,
  application: 'backend',
  user: 'crm',
  state: 'idle in transaction',
  stateMs: 190_000,
  mode: 'ACCESS SHARE',
  isHeld: true,
}

/** An event of every checkpoint: a checkpoint without one does not compile. */
export const everyEvent: { readonly [C in Checkpoint]: Extract<Event, { checkpoint: C }> } = {
  start: { checkpoint: 'start', programVersion: '1.2.3', run: 'cafe0123', command: 'migrate' },
  files: {
    checkpoint: 'files',
    files: 16,
    dir: 'sql',
    first: '0001_a.sql',
    last: '0016_p.sql',
    baseline: '0010',
  },
  database: {
    checkpoint: 'database',
    address: 'host:5432/crm',
    user: 'crm_owner',
    serverVersion: '18.4',
    encryption: 'TLS verify-full',
  },
  found: { checkpoint: 'found', tables: 1, objects: 3 },
  waiting: { checkpoint: 'waiting', reason: 'held by pod-a', waitedMs: 12_345.6, more: ['a hint'] },
  lock: { checkpoint: 'lock', waitedMs: 1_234.5 },
  plan: { checkpoint: 'plan', covered: ['0001_a.sql', '0002_b.sql'], pending: ['0003_c.sql'] },
  running: {
    checkpoint: 'running',
    file: '0003_c.sql',
    runningMs: 61_000.4,
    waitEvent: 'IO DataFileRead',
    progress: {
      command: 'CREATE INDEX',
      phase: 'building index: scanning table',
      percent: 62,
      rows: undefined,
    },
  },
  blocked: {
    checkpoint: 'blocked',
    file: '0003_c.sql',
    runningMs: 2_500.4,
    waitsFor: { mode: 'ACCESS EXCLUSIVE', on: 'public.leads' },
    blockers: [blocker],
  },
  retry: {
    checkpoint: 'retry',
    file: '0003_c.sql',
    reason: '0003_c.sql: canceling statement due to lock timeout (55P03)',
    pauseMs: 1_400.4,
    leftMs: 290_000.4,
    blockers: [blocker],
  },
  lost: { checkpoint: 'lost', reason: 'the connection to host:5432/crm ended', file: '0003_c.sql' },
  step: {
    checkpoint: 'step',
    file: '0003_c.sql',
    ordinal: 2,
    of: 5,
    how: 'alone',
    kind: 'CREATE INDEX CONCURRENTLY',
    durationMs: 61_000.4,
  },
  guard: {
    checkpoint: 'guard',
    tables: [{ table: 'public.leads', rows: 120, isEstimate: false }],
    missing: ['faqs'],
  },
  applied: {
    checkpoint: 'applied',
    file: '0003_c.sql',
    durationMs: 12.3,
    covers: 0,
    warnings: 0,
    effects: {
      tables: [{ table: 'public.leads', lock: 'ACCESS EXCLUSIVE', deleted: 2, root: 16_385 }],
      indexes: [{ index: 'public.leads_pkey', change: 'created' }],
      transactionMs: 10.25,
    },
    allowed: [{ table: 'public.leads', what: 'delete', rows: 2 }],
  },
  note: { checkpoint: 'note', text: '0005_b.sql is applied already, as 0002_b.sql' },
  warning: { checkpoint: 'warning', text: 'LOCKSTEP_X is not known' },
  verified: {
    checkpoint: 'verified',
    head: '0016_p.sql',
    files: 16,
    guarded: [{ table: 'public.leads', rows: 118, isEstimate: false, before: 120, deleted: 2 }],
  },
  published: {
    checkpoint: 'published',
    target: 'configmap/crm in shop',
    state: 'succeeded',
    version: '0016',
  },
  failed: { checkpoint: 'failed', failure },
  done: { checkpoint: 'done', outcome: { kind: 'failed', failure }, durationMs: 1_234.4 },
}
