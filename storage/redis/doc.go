// Package redis keeps sessions, grants, tokens and consents in Redis or Valkey.
package redis
