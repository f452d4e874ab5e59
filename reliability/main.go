// Command reliability runs experiments that break the servers of a provider and of its store on purpose.
package main

func main() {}
