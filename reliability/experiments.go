package main

// experiments returns all experiments in the order in which they run.
func experiments() []*experiment {
	both, pg := []string{kindPostgres, kindRedis}, []string{kindPostgres}
	return []*experiment{
		{
			name: "redemption", about: "each code is redeemed once, from 50 callers in two processes", stores: both, run: redemption,
			controls: []control{{"read, then update", redemptionControl, both}},
		},
		{
			name: "rotation", about: "each refresh token has one successor, and a second use ends the family", stores: both, run: rotation,
			controls: []control{{defect: "read, then update", run: rotationControl}},
		},
		{
			name: "revocation", about: "no token is active after a revocation, a logout, a disabled user, a withdrawn consent", stores: both, run: revocation,
			controls: []control{{defect: "revocation without a lock", run: revocationControl}},
		},
		{
			name: "assertions", about: "each client assertion is accepted once, in two processes", stores: both, run: assertions,
			controls: []control{{defect: "read, then insert", run: assertionsControl}},
		},
		{
			name: "kills", about: "nodes are killed in the middle of logins, at any moment and at chosen places", stores: []string{kindPostgres, kindRedis, kindSQLite}, run: kills,
			controls: []control{{defect: "a redemption in two transactions", run: killsSplit}, {defect: "a reply before the commit", run: killsEarly}},
		},
		{
			name: "database-restart", waits: true, about: "PostgreSQL restarts at once under load", stores: pg, run: databaseRestart,
			controls: []control{{defect: "an outage as an unknown token", run: databaseRestartControl}},
		},
		{
			name: "slow-database", waits: true, about: "a proxy delays, drops, halves and cuts the connections to the store", stores: both, run: slowDatabase,
			controls: []control{{defect: "no deadline of a call", run: slowDatabaseControl}},
		},
		{
			name: "failover", waits: true, about: "a synchronous standby loses nothing; after an asynchronous one the fence ends what came back", stores: pg, run: failover,
			controls: []control{{defect: "no fence", run: failoverControl}},
		},
		{
			name: "redis-durability", waits: true, about: "evicting policies, a full memory, kill -9, and a Redis that does not answer", stores: []string{kindRedis}, run: redisDurability,
			controls: []control{{defect: "an evicting policy", run: redisDurabilityControl}},
		},
		{
			name: "linearizability", about: "an order of the calls of two processes explains their results", stores: []string{kindPostgres, kindRedis, kindSQLite}, run: linearizability,
			controls: []control{{defect: "read, then update", run: linearizabilityControl}},
		},
		{
			name: "sessions", about: "many sessions: look-ups beside a bare select, and sweeping", stores: pg, run: sessions,
		},
		{
			name: "pool-exhausted", waits: true, about: "all connections of a node wait for a lock", stores: pg, run: poolExhausted,
			controls: []control{{defect: "an outage as an unknown token", run: poolExhaustedControl}},
		},
		{
			name: "disk-full", waits: true, about: "the disk of PostgreSQL is full for a while", stores: pg, run: diskFull,
			controls: []control{{defect: "an outage as an unknown token", run: diskFullControl}},
		},
		{
			name: "partition", waits: true, about: "a node without the store, cut connections, requests that arrive twice", stores: both, run: partition,
			controls: []control{{defect: "an outage as an unknown token", run: partitionControl}},
		},
		{
			name: "clock-jumps", about: "the clock of one node is an hour ahead or behind", stores: both, run: clockJumps,
			controls: []control{{defect: "read, then update", run: clockJumpsControl}},
		},
		{
			name: "soak", waits: true, about: "short lifetimes, sweeping and new signing keys: nothing grows", stores: pg, run: soak,
			controls: []control{{defect: "no sweeping", run: soakControl}},
		},
		{
			name: "fast-clock", about: "full load with a clock that runs 600 times as fast: no leak, expired records are removed, no lock is held for long", stores: []string{kindMemory, kindSQLite}, run: fastClock,
			controls: []control{
				{defect: "a goroutine and a file for each redemption", run: fastClockLeaking}, {defect: "a lock that is held", run: fastClockHolding},
			},
		},
		{name: "record-day", about: "logins as fast as three nodes go, then a record day on the cluster of the examples", stores: both, fullOnly: true, run: recordDay},
		{
			name: "cost", about: "code exchange and refresh beside the bare statements and signatures", stores: both, run: cost,
		},
	}
}
