package main

func (t *trial) sampleFamilies(*backend) func() { return func() {} }
