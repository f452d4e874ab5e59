// Package postgres keeps sessions, grants, tokens and consents in PostgreSQL.
package postgres
