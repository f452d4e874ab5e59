// Package sqlite keeps sessions, grants, tokens and consents in a SQLite file.
package sqlite
