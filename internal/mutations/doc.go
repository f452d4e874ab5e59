// Package mutations holds defects that a careless change could make, each as a change of one text, and makes them one by one to see
// that a test fails. RESULT.md has the last result of each. The package has tests only. The defects of storage/postgres and storage/redis
// need PostgreSQL, PgBouncer and redis-server on this machine (internal/localdb): the run fails without one of them, and names the tests.
package mutations
