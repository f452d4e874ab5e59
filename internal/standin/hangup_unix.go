//go:build unix

package standin

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// onHangup calls reload at each SIGHUP until the function that it returns is called. If the signal says that the terminal of the process was
// closed, it calls stop.
func onHangup(reload, stop func()) (end func()) {
	attached := hasTerminal() && !signal.Ignored(syscall.SIGHUP) // nohup ignores it
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-signals:
			}
			if attached && !hasTerminal() {
				stop()
				return
			}
			reload()
		}
	})
	return func() {
		signal.Stop(signals)
		close(done)
		wg.Wait()
	}
}

// hasTerminal reports whether the process has a terminal that is open.
func hasTerminal() bool {
	f, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	_ = f.Close()
	return true
}
