package session

import "time"

var clock = time.Now
