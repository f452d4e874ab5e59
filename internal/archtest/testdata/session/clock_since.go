package session

import "time"

func age(t time.Time) time.Duration { return time.Since(t) }
