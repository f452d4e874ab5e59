// Package commit has the context of a state change that runs to its end although the peer disconnects.
package commit

import (
	"context"
	"sync"
	"time"
)

// Context has the values of its parent and a deadline, and does not end with its parent. It behaves as
// context.WithTimeout(context.WithoutCancel(parent), timeout), and starts its timer only when Done is first called: drivers of databases call it, and a
// store in memory reads Err only. It is safe for concurrent use.
type Context struct {
	parent   context.Context
	deadline time.Time

	mu       sync.Mutex
	canceled bool               // before Done was called
	timed    context.Context    // with the timer; nil until Done is called
	stop     context.CancelFunc // of timed
}

// New returns a context that ends after timeout, or by Cancel.
func New(parent context.Context, timeout time.Duration) *Context {
	return &Context{parent: parent, deadline: time.Now().Add(timeout)}
}

// Cancel ends the context and releases its timer. Call it when the change has been made.
func (c *Context) Cancel() {
	c.mu.Lock()
	stop := c.stop
	if stop == nil {
		c.canceled = c.canceled || c.err() == nil
	}
	c.mu.Unlock()
	if stop != nil {
		stop()
	}
}

// Deadline implements context.Context.
func (c *Context) Deadline() (deadline time.Time, ok bool) { return c.deadline, true }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.stop = c.start()
	}
	return c.timed.Done()
}

func (c *Context) start() (context.Context, context.CancelFunc) {
	values := context.WithoutCancel(c.parent)
	if !c.canceled {
		return context.WithDeadline(values, c.deadline)
	}
	ended, cancel := context.WithCancel(values)
	cancel()
	return ended, cancel
}

// Err implements context.Context.
func (c *Context) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err()
}

func (c *Context) err() error {
	switch {
	case c.timed != nil:
		return c.timed.Err()
	case c.canceled:
		return context.Canceled
	case !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements context.Context. After Done was called it answers for the context with the timer, so that package context links children
// to that one, without a goroutine for each.
func (c *Context) Value(key any) any {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return context.WithoutCancel(c.parent).Value(key) // not of the parent: package context finds the cancellation of a context by a key
}
