package fleet

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// A Namespace is a network of its own beside this machine's, with one way
// between them.
type Namespace struct {
	name       string
	here, host string // the ends' addresses
}

// NewNamespace makes one. It takes the right to administer networks, which root
// has on most machines; the error says that it lacks. The number, 0 to 200,
// tells namespaces of one process apart.
func NewNamespace(number int) (*Namespace, error) {
	// The process's id keeps test binaries that run at once apart.
	pid := os.Getpid()
	n := &Namespace{name: fmt.Sprintf("pst%d-%d", pid, number)}
	net := fmt.Sprintf("10.%d.%d.", 64+pid/256%128, pid%256)
	n.here, n.host = fmt.Sprint(net, 4*(number%60)+1), fmt.Sprint(net, 4*(number%60)+2)
	veth := fmt.Sprintf("p%d-%d", pid, number)
	for _, words := range []string{
		"netns add " + n.name,
		"link add " + veth + "a type veth peer name " + veth + "b netns " + n.name,
		"addr add " + n.here + "/30 dev " + veth + "a",
		"link set " + veth + "a up",
		"-n " + n.name + " addr add " + n.host + "/30 dev " + veth + "b",
		"-n " + n.name + " link set " + veth + "b up",
		"-n " + n.name + " link set lo up",
	} {
		if err := ip(words); err != nil {
			n.Close()
			return nil, err
		}
	}
	return n, nil
}

// Partition loses every packet that comes out of the namespace: whoever talks
// to it is told nothing, and its connections stay open.
func (n *Namespace) Partition() error {
	return ip("-n " + n.name + " route add blackhole " + n.here + "/32")
}

// Heal lets packets through again.
func (n *Namespace) Heal() error {
	return ip("-n " + n.name + " route del blackhole " + n.here + "/32")
}

// NewRedis starts a redis-server inside.
func (n *Namespace) NewRedis(options ...string) (*Redis, error) {
	return newRedis(n.host, []string{"ip", "netns", "exec", n.name}, options...)
}

// Close removes the namespace. What runs in it has to be stopped before.
func (n *Namespace) Close() { _ = ip("netns del " + n.name) }

func ip(words string) error {
	out, err := exec.Command("ip", strings.Fields(words)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", words, err, strings.TrimSpace(string(out)))
	}
	return nil
}
