/**
 * The closed list of failures.
 *
 * Each has an exit code, which also says whether a retry can help (75: yes, all others: no), a
 * sentence that tells what it means, and what to do when the failure itself brings no better
 * advice. `docs/errors.md` has a section for each; a test holds the two equal.
 */
export const failures = {
  CONFIG_INVALID: {
    exit: 64,
    means: 'a variable, a flag or the address of the database is missing, unknown or malformed',
    todo: 'mend what is named above and run again',
  },
  ADOPT_INVALID: {
    exit: 64,
    means: 'what lockstep adopt is to take over is not there',
    todo: 'look with lockstep status what there is, and name that',
  },
  FOLDER_UNREADABLE: {
    exit: 64,
    means: 'the folder of SQL files is missing, not a folder, or may not be read',
    todo: 'set LOCKSTEP_DIR to the folder that holds the SQL files, as this process sees it',
  },
  FOLDER_EMPTY: {
    exit: 64,
    means: 'the folder holds no SQL file, which is more often a wrong mount than a wish',
    todo: 'mount your SQL files there or COPY them into your image, or point LOCKSTEP_DIR to them',
  },
  FILE_UNREADABLE: {
    exit: 64,
    means: 'a file may not be read, or is not a regular file',
    todo: 'give the user of this process the right to read it',
  },
  LOGIN_REFUSED: {
    exit: 64,
    means: 'the server refuses user, password or host',
    todo: 'check user and password, and that pg_hba.conf admits this host to this database',
  },
  TLS_FAILED: {
    exit: 64,
    means: 'no encrypted connection of the wanted kind can be made',
    todo: 'check sslmode and sslrootcert against what the server offers',
  },
  DATABASE_MISSING: {
    exit: 64,
    means: 'the server is there, the database was not, for as long as LOCKSTEP_CONNECT_WAIT allows',
    todo: 'create the database, or correct its name',
  },
  SERVER_UNSUPPORTED: {
    exit: 64,
    means: 'the server is older than PostgreSQL 14',
    todo: 'upgrade the server',
  },
  POOLER_BETWEEN: {
    exit: 64,
    means: 'a connection pooler stands between, so a lock may stay on another client’s session',
    todo: 'use the address of the server itself, or read docs/poolers.md and set LOCKSTEP_POOLER',
  },
  ROLLOUT_UNSEEN: {
    exit: 64,
    means: 'the Deployments of LOCKSTEP_ROLLOUT or their pods may not be looked at',
    todo: 'give the account of this pod the right that is named above',
  },
  PHASE_UNSET: {
    exit: 64,
    means: 'files wait for the phase after the rollout, and the run is not told which phase it is',
    todo: 'set LOCKSTEP_PHASE to before-rollout, after-rollout or all',
  },
  STATUS_UNREADABLE: {
    exit: 64,
    means: 'the status that a gate waits for cannot be read: no token, no right, no such folder',
    todo: 'give the pod what is named above; docs/gate.md lists what each kind of gate needs',
  },
  PRIVILEGE_MISSING: {
    exit: 64,
    means: 'the role may not do what the ledger needs',
    todo: 'grant the right that is named above',
  },
  FILE_NAME_INVALID: {
    exit: 1,
    means: 'the name of an SQL file cannot be read as version, underscore, name',
    todo: 'rename it as 0001_what_it_does.sql',
  },
  FILE_NAME_TWICE: {
    exit: 1,
    means: 'two files have the same version, or names that differ only in case',
    todo: 'rename one of them',
  },
  FILE_CONTENT_INVALID: {
    exit: 1,
    means: 'a file is not UTF-8, holds a NUL byte, or is too large, or one of its statements is',
    todo: 'save it as UTF-8 text',
  },
  DIRECTIVE_UNKNOWN: {
    exit: 1,
    means: 'a file begins with a “-- lockstep:” line that this release does not know',
    todo: 'correct the line; docs/directives.md lists what is known',
  },
  DIRECTIVE_INVALID: {
    exit: 1,
    means: 'a “-- lockstep:” line has a wrong value, stands twice, or stands where it is not read',
    todo: 'correct the line; docs/directives.md shows how each is written',
  },
  STATEMENT_REFUSED: {
    exit: 1,
    means: 'pending files hold what would break the promises of a run, or cannot run as they are',
    todo: 'mend each place as its line says; lockstep check finds the same without a database',
  },
  BASELINE_INVALID: {
    exit: 1,
    means: 'baseline.sql does not say which files it stands for, or they are not in the folder',
    todo: 'let its first line be “-- lockstep: baseline 0042”, the version of a file in the folder',
  },
  BASELINE_DIFFERS: {
    exit: 1,
    means: 'baseline.sql does not build what the files build that it stands for',
    todo: 'mend baseline.sql until both build the same; docs/check-baseline.md lists what is compared',
  },
  BASELINE_UNPROVEN: {
    exit: 1,
    means:
      'baseline.sql cannot be compared with the files: there is nothing to build, or it cannot be tried',
    todo: 'run lockstep check --baseline where baseline.sql and all files that it stands for are in the folder',
  },
  FILE_CHANGED: {
    exit: 1,
    means: 'a file was edited after it had been applied',
    todo: 'restore the file as it was applied and put the change into a new file',
  },
  IMAGE_TOO_OLD: {
    exit: 1,
    means: 'a file that is applied says that this image is too old for the schema: breaks-before',
    todo: 'roll out an image that has the version that is named above, or a newer one',
  },
  BASELINE_GAP: {
    exit: 1,
    means: 'baseline.sql stands for files that are neither applied nor in the folder any more',
    todo: 'run an image that still has these files first, then this one',
  },
  FILE_MISSING: {
    exit: 1,
    means: 'files were applied that this folder lacks, though later ones of this folder knew them',
    todo: 'bring the missing files back',
  },
  FILE_OUT_OF_ORDER: {
    exit: 1,
    means: 'a pending file has a lower version than a file of this folder that is applied',
    todo: 'give it a higher version, or set LOCKSTEP_OUT_OF_ORDER=allow',
  },
  FILE_BEHIND_HELD: {
    exit: 1,
    means: 'a pending file stands behind one that waits for the phase after the rollout',
    todo: 'finish the phase after-rollout with the image that is rolled out',
  },
  FILE_BEFORE_ROLLOUT: {
    exit: 1,
    means: 'the phase after-rollout waits for a file that belongs before the rollout',
    todo: 'run the phase before-rollout with this image first',
  },
  DATABASE_NOT_EMPTY: {
    exit: 1,
    means: 'the ledger is empty, the database is not',
    todo: 'say what is there: lockstep adopt, or LOCKSTEP_BASELINE=ignore to run the files beside it',
  },
  LEDGER_OF_ANOTHER: {
    exit: 1,
    means: 'the ledger has rows, but none of them is of a file in this folder',
    todo: 'give this application a ledger of its own: LOCKSTEP_SCHEMA',
  },
  LEDGER_TOO_NEW: {
    exit: 1,
    means: 'a newer Lockstep wrote the ledger in a format that this one does not understand',
    todo: 'run a newer Lockstep',
  },
  LEDGER_DAMAGED: {
    exit: 1,
    means: 'the ledger contradicts itself: something else than Lockstep has written there',
    todo: 'compare the row with the schema, then mend it by hand; docs/ledger.md tells what a row says',
  },
  SQL_FAILED: {
    exit: 1,
    means: 'PostgreSQL refused a statement of a file',
    todo: 'mend the file and run again',
  },
  TRANSACTION_ENDED: {
    exit: 1,
    means: 'a file tried to end the transaction that Lockstep opened for it',
    todo: 'take BEGIN, COMMIT and ROLLBACK out of the file: each file is one transaction already',
  },
  INDEX_IN_THE_WAY: {
    exit: 1,
    means:
      'an index that a file builds concurrently is there already, or is INVALID, and not of this file',
    todo: 'look what that index is; drop it, or give the new one another name',
  },
  STEP_UNCERTAIN: {
    exit: 1,
    means: 'a statement that commits by itself was broken off: nobody can tell how far it came',
    todo: 'look what it has done, and tell the ledger; docs/no-transaction.md says how',
  },
  GUARD_VIOLATED: {
    exit: 1,
    means: 'a file would lose rows of a guarded table, or the table itself, and is not allowed to',
    todo: 'change the file, or allow it by name: -- lockstep: allow delete <= 37 on leads',
  },
  COPY_REFUSED: {
    exit: 1,
    means: 'a file copies from or to the client, which has no data to give or take',
    todo: 'write INSERT statements (pg_dump --inserts), or COPY from a file on the server',
  },
  FILE_LOSES_CONNECTION: {
    exit: 1,
    means: 'the connection ended twice inside the same file: it may be what the server cannot bear',
    todo: 'look at the server’s log, and split the file or give the server what it lacks',
  },
  DEADLINE_IN_FILE: {
    exit: 1,
    means: 'LOCKSTEP_DEADLINE was over inside a file: a retry would be cut at the same place',
    todo: 'raise LOCKSTEP_DEADLINE, or split the file',
  },
  ROLLOUT_REPLACED: {
    exit: 1,
    means: 'another release was rolled out meanwhile, so the files behind this rollout are not due',
    todo: 'nothing, after a rollback; else roll this release out again',
  },
  SAME_FILES_FAILED: {
    exit: 1,
    means: 'another runner failed with the same files while this one waited for it',
    todo: 'look at the log of that run; what it names must be mended first',
  },
  VERIFY_FAILED: {
    exit: 1,
    means: 'after the last file the ledger did not show what had been applied',
    todo: 'look into the ledger: something else writes there',
  },
  DATABASE_UNREACHABLE: {
    exit: 75,
    means: 'the server could not be reached within LOCKSTEP_CONNECT_WAIT',
    todo: 'is the server running, is the address right, may this pod reach it (NetworkPolicy)?',
  },
  CONNECTION_LOST: {
    exit: 75,
    means: 'the connection ended before the run did',
    todo: 'run again: the ledger knows what is applied',
  },
  LOCK_TIMEOUT: {
    exit: 75,
    means: 'a statement waited too long for a lock, or PostgreSQL broke a deadlock at its expense',
    todo: 'run again when the other session is done',
  },
  LEDGER_MOVED: {
    exit: 75,
    means: 'somebody else wrote the ledger or took the lock while this run was under way',
    todo: 'run again: the plan is made anew',
  },
  FILE_CHANGED_MEANWHILE: {
    exit: 75,
    means: 'a large file was not the same when it was read again to be applied',
    todo: 'run again when nobody writes to the folder; nothing of the file is kept',
  },
  RUNNER_WAIT_OVER: {
    exit: 75,
    means: 'another runner held the lock for longer than LOCKSTEP_RUNNER_WAIT',
    todo: 'look at the other runner; run again when it is done',
  },
  ROLLOUT_WAIT_OVER: {
    exit: 75,
    means: 'the Deployments of LOCKSTEP_ROLLOUT were not rolled out within LOCKSTEP_ROLLOUT_WAIT',
    todo: 'see to what is named; the next run waits again',
  },
  DEADLINE_OVER: {
    exit: 75,
    means: 'LOCKSTEP_DEADLINE was over while the run waited',
    todo: 'run again when what it waited for is done',
  },
  GATE_WAIT_OVER: {
    exit: 75,
    means: 'the schema did not get what this image needs within LOCKSTEP_GATE_WAIT',
    todo: 'look whether a migration is under way, or why it failed: lockstep status',
  },
  STATUS_NOT_PUBLISHED: {
    exit: 75,
    means:
      'the files are applied, but the status that LOCKSTEP_STATUS_REQUIRED asks for is not published',
    todo: 'mend what is named above and run again: the next run has only that to do',
  },
  INTERRUPTED: {
    exit: 75,
    means: 'the run was told to stop',
    todo: 'the next run goes on',
  },
  DEFECT: {
    exit: 70,
    means: 'a defect of Lockstep itself',
    todo: 'report it with these lines',
  },
} as const satisfies Record<string, { exit: 1 | 64 | 70 | 75; means: string; todo: string }>

export type FailureCode = keyof typeof failures
