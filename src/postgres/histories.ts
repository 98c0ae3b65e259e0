import { literal } from './quote.ts'

/** Where other tools keep what they have applied: name of the table, columns that tell it, tool. */
const histories = [
  ['schema_migrations', 'version', 'dbmate or Rails'],
  ['schema_migrations', 'version dirty', 'golang-migrate'],
  ['schema_migrations', 'version inserted_at', 'Ecto'],
  ['flyway_schema_history', 'installed_rank script checksum', 'Flyway'],
  ['databasechangelog', 'id author filename', 'Liquibase'],
  ['_prisma_migrations', 'id checksum migration_name', 'Prisma'],
  ['knex_migrations', 'id name batch', 'Knex'],
  ['pgmigrations', 'id name run_on', 'node-pg-migrate'],
  ['SequelizeMeta', 'name', 'Sequelize'],
  ['migrations', 'id timestamp name', 'TypeORM'],
  ['migrations', 'id migration batch', 'Laravel'],
  ['django_migrations', 'id app name applied', 'Django'],
  ['alembic_version', 'version_num', 'Alembic'],
  ['__drizzle_migrations', 'id hash created_at', 'Drizzle'],
  ['goose_db_version', 'version_id is_applied', 'goose'],
  ['atlas_schema_revisions', 'version description hash', 'Atlas'],
  ['_sqlx_migrations', 'version checksum execution_time', 'SQLx'],
  ['__diesel_schema_migrations', 'version run_on', 'Diesel'],
  ['__EFMigrationsHistory', 'MigrationId ProductVersion', 'Entity Framework'],
  ['ledger', 'previous chained meanings', 'Lockstep, in a schema of another LOCKSTEP_SCHEMA'],
] as const

/** Those that are there, as a JSON list of `public.flyway_schema_history (Flyway)`. */
export function historiesAsJson(schema: string): string {
  const known = histories.map(
    ([table, columns, tool]) =>
      `(${literal(table)}, ${literal(`{${columns.replaceAll(' ', ',')}}`)}::pg_catalog.text[], ${literal(tool)})`,
  )
  return `(select pg_catalog.json_agg(told order by told) from (
      select distinct on (c.oid) n.nspname || '.' || c.relname || ' (' || known.tool || ')' as told
      from (values ${known.join(', ')}) as known (name, columns, tool)
      join pg_catalog.pg_class c on c.relname = known.name and c.relkind in ('r', 'p')
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname <> ${literal(schema)}
      where known.columns <@ (
        select pg_catalog.array_agg(a.attname::pg_catalog.text) from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)
      order by c.oid, pg_catalog.cardinality(known.columns) desc
    ) as seen)`
}
