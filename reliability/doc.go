// Command reliability runs experiments that break the servers of a provider and of its store on purpose, and counts what the clients and
// the store then hold.
//
//	go run ./reliability -x list
//	go run ./reliability -x redemption -store postgres
//	go run ./reliability -x all -profile full
//
// Each experiment starts its own servers on loopback addresses: PostgreSQL or Redis, and nodes, which are processes of this program with a
// provider each. It prints its seed, its counts and one line that begins with PASS or FAIL. Most experiments have a negative control: the
// same load on a store with a known defect, which must be found. A control that finds nothing makes the experiment fail.
package main
