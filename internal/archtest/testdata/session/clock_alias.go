package session

import wall "time"

func stamp() wall.Time { return wall.Now() }
