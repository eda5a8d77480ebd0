package fleet

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// A Cluster is a Redis Cluster of three masters, each with a third of the slots.
type Cluster struct {
	Nodes []*Redis
}

const slots = 16384

// NewCluster starts all three. Stop them when the test is done.
func NewCluster() (*Cluster, error) {
	c := &Cluster{}
	if err := c.start(); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start() error {
	const nodes = 3
	for range nodes {
		bus, err := freePort() // the default is port + 10000, which may be none
		if err != nil {
			return err
		}
		r, err := NewRedis("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", bus)
		if err != nil {
			return err
		}
		c.Nodes = append(c.Nodes, r)
		if err := c.join(r, bus); err != nil {
			return err
		}
	}
	for i, r := range c.Nodes {
		if _, err := r.Do("CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i*slots/nodes), fmt.Sprint((i+1)*slots/nodes-1)); err != nil {
			return err
		}
	}
	for deadline := time.Now().Add(patience); !c.complete(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the Redis Cluster does not come together within %s", patience)
		}
	}
	return nil
}

// join introduces a node to those before it.
func (c *Cluster) join(r *Redis, bus string) error {
	host, port, _ := net.SplitHostPort(r.Addr())
	if _, err := r.Do("CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(len(c.Nodes))); err != nil {
		return err
	}
	for _, other := range c.Nodes[:len(c.Nodes)-1] {
		if _, err := other.Do("CLUSTER", "MEET", host, port, bus); err != nil {
			return err
		}
	}
	return nil
}

// complete tells whether every node sees all slots served.
func (c *Cluster) complete() bool {
	for _, r := range c.Nodes {
		info, err := r.Do("CLUSTER", "INFO")
		if err != nil || !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, fmt.Sprint("cluster_known_nodes:", len(c.Nodes))) {
			return false
		}
	}
	return true
}

// Addrs are the addresses of all nodes.
func (c *Cluster) Addrs() []string {
	var addrs []string
	for _, r := range c.Nodes {
		addrs = append(addrs, r.Addr())
	}
	return addrs
}

// Stop ends all of them.
func (c *Cluster) Stop() {
	for _, r := range c.Nodes {
		r.Stop()
	}
}
