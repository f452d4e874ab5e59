// Package redis keeps sessions, grants, tokens and consents in Redis 7 or Valkey: one server, a primary with replicas under Sentinel, or
// Redis Cluster. Its store implements provider.Store and the optional interfaces of stores. README.md has the keys and a program.
//
// # Scripts
//
// Each method is one Lua script and one round trip. A script is the only thing that the server executes meanwhile, so it checks and
// changes several keys in one step, and readers see all of it or nothing. Two commands in its place, or GETDEL, would not do: a code that is
// deleted cannot be told from one that never existed, and then the tokens that a thief received for it are not revoked. What was used,
// rotated or ended therefore remains until the contract allows to forget it.
//
// A script names its keys in KEYS, as far as the call has them; others it derives from what it reads. All have the prefix of the store,
// which is a hash tag: Redis Cluster keeps them in one hash slot, on one primary. That is what a transaction over session, grant and token
// needs, and why a cluster makes the store available, but not larger. Assertions (client.ReplayStore), pushed requests and the login
// history are in no transaction with the rest: they can have a store of their own with another prefix, in another slot or on another
// server.
//
// # Time
//
// The now of the caller decides what is live. Redis collects keys (PEXPIRE) when the contract allows to forget them, session.MaxSkew later,
// by the time that was left at the caller's now. Its clock decides nothing else, but it must not jump ahead: then keys are collected early,
// and an assertion could be used again. Instants are texts of 20 digits, because the numbers of Lua are doubles.
//
// # Outages
//
// A method whose context ends before the script is sent changes nothing. After that it runs to its end, or to Config.Timeout. An error of
// the network, the pool or the server wraps portner.ErrUnavailable, never a verdict: the script was then executed as a whole or not at
// all. A client of go-redis sends a command again if it received no answer (MaxRetries). Each script is prepared for that: it recognises the
// number of the call and replies as it did the first time, so a lost answer of RedeemCode is not mistaken for a replay.
//
// A server that is full (maxmemory) rejects scripts that insert, with storage.ErrFull. It still executes those that end something.
//
// # Durability
//
// What was redeemed, revoked or ended must not come back. The host chooses what it may lose:
//
//   - appendonly yes, appendfsync always: nothing that was acknowledged, when the server is killed or the machine loses power. Each write
//     waits for the disk.
//   - appendonly yes, appendfsync everysec: nothing when the server is killed; up to about a second when the machine loses power.
//   - appendonly no: everything since the last snapshot. Users log in again; a code or an assertion of the last minutes can be used a
//     second time. New logs a warning.
//
// Replicas receive writes later. After a failover the new primary may lack the last ones, whatever is on the disk of the old one. With
// Config.WaitReplicas a method that ends something returns nil when so many replicas have received it; Sentinel or Cluster must promote one
// of them. This narrows the window, and does not close it: Redis has no consensus. Keep grants in PostgreSQL with a synchronous replica
// where that matters, and sessions and assertions here (package storage/combined).
package redis
