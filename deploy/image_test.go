package deploy

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// largest is what an image may weigh on its way to a machine, in bytes.
const largest = 15_000_000

// buildBinary builds the program as the Dockerfile does, from a copy of what
// it is built of at a path of its own.
func buildBinary(t *testing.T) (path string) {
	t.Helper()
	dir := t.TempDir()
	for _, part := range []string{"cmd", "internal", "policies", "bundles", "go.mod", "go.sum"} {
		if out, err := exec.Command("cp", "-r", "../"+part, dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	path = filepath.Join(dir, "postern")
	words := matches(read(t, "../Dockerfile"), `(?m)^    (go build .*) -o /out/postern ./cmd/postern`)
	if len(words) != 1 {
		t.Fatalf("got the builds %q in the Dockerfile, want one", words)
	}
	build := exec.Command("sh", "-c", words[0]+" -buildvcs=false -o postern ./cmd/postern")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", build, err, out)
	}
	return path
}

// The size of the program is most of that of the image; both are measured, also
// where no image can be built. What made it grow: go version -m, go tool nm -size.
func TestTheImageIsSmallAndSafe(t *testing.T) {
	t.Parallel()
	binary := buildBinary(t)
	if one, two := digest(t, binary), digest(t, buildBinary(t)); one != two {
		t.Errorf("got %s and %s, want the same program from the same sources at two paths", one, two)
	}
	if size := packed(t, binary); size > largest {
		t.Errorf("got a program of %d bytes with gzip, want an image of %d at most", size, largest)
	}
	if why := buildahCannotRun(); why != nil {
		t.Logf("THE IMAGE IS NOT BUILT HERE, only its program was looked at: %v", why)
		return
	}
	i := buildImage(t, binary)
	i.weigh(t)
	i.describe(t)
	i.unpack(t)
	i.serve(t)
}

func digest(t *testing.T, path string) string {
	t.Helper()
	return fmt.Sprintf("%x", sha256.Sum256([]byte(read(t, path))))
}

// packed is the size of a file with gzip.
func packed(t *testing.T, path string) int64 {
	t.Helper()
	gzip := exec.Command("gzip", "-c", path)
	var size counter
	gzip.Stdout = &size
	if err := gzip.Run(); err != nil {
		t.Fatal(err)
	}
	return int64(size)
}

type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

// buildahCannotRun says why no image can be built and run on this machine, or
// nil. It needs root, and namespaces.
func buildahCannotRun() error {
	if _, err := exec.LookPath("buildah"); err != nil {
		return err
	}
	if out, err := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "true").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if os.Geteuid() != 0 {
		return errors.New("this is not root")
	}
	return nil
}

// An image is one that was built, in a directory as buildah writes it: a
// manifest, and files that are named after their digests.
type image struct{ dir, root string }

// buildImage builds the last stage of the Dockerfile. What the stage before it
// would have made lies beside it.
func buildImage(t *testing.T, binary string) image {
	t.Helper()
	stage, at := t.TempDir(), t.TempDir()
	certificates := filepath.Join(stage, "etc/ssl/certs")
	for _, dir := range []string{"out/state", certificates[len(stage)+1:]} {
		if err := os.MkdirAll(filepath.Join(stage, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{binary: filepath.Join(stage, "out/postern"), "/etc/ssl/certs/ca-certificates.crt": certificates} {
		if out, err := exec.Command("cp", from, to).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	i := image{filepath.Join(at, "image"), filepath.Join(at, "root")}
	store := []string{"--root", filepath.Join(at, "store"), "--runroot", filepath.Join(at, "run"), "--storage-driver", "vfs"}
	buildah(t, append(store, "build", "--isolation", "chroot", "--format", "docker", "--timestamp", "0", "--build-arg", "VERSION=v1.2.3",
		"--build-context", "build="+stage, "--tag", "postern", "--file", "../Dockerfile", stage)...)
	buildah(t, append(store, "push", "--quiet", "--disable-compression", "postern", "dir:"+i.dir)...)
	return i
}

func buildah(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("buildah", args...).CombinedOutput(); err != nil {
		t.Fatalf("buildah %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// blob is the path of a file of the image.
func (i image) blob(digest string) string {
	return filepath.Join(i.dir, strings.TrimPrefix(digest, "sha256:"))
}

// manifest says what the image is made of.
func (i image) manifest(t *testing.T) (config string, layers []string) {
	t.Helper()
	var m struct {
		Config struct{ Digest string }
		Layers []struct{ Digest string }
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(i.dir, "manifest.json"))), &m); err != nil {
		t.Fatal(err)
	}
	for _, l := range m.Layers {
		layers = append(layers, i.blob(l.Digest))
	}
	return i.blob(m.Config.Digest), layers
}

func (i image) weigh(t *testing.T) {
	t.Helper()
	size := int64(0)
	_, layers := i.manifest(t)
	for _, layer := range layers {
		size += packed(t, layer)
	}
	if size > largest {
		t.Errorf("got an image of %d bytes, want %d at most", size, largest)
	}
}

// describe looks at what the image says of itself.
func (i image) describe(t *testing.T) {
	t.Helper()
	var c struct {
		Config struct {
			User            string
			Env             []string
			Entrypoint, Cmd []string
			Healthcheck     struct{ Test []string }
			Labels          map[string]string
		}
	}
	config, _ := i.manifest(t)
	if err := json.Unmarshal([]byte(read(t, config)), &c); err != nil {
		t.Fatal(err)
	}
	got := c.Config
	if got.User != "65532:65532" || !slices.Equal(got.Entrypoint, []string{"/postern"}) || !slices.Equal(got.Cmd, []string{"serve"}) ||
		!slices.Equal(got.Healthcheck.Test, []string{"CMD", "/postern", "healthcheck"}) || !slices.Contains(got.Env, "POSTERN_STATE=/var/lib/postern") {
		t.Errorf("got %+v", got)
	}
	for _, label := range []string{"title", "description", "source", "documentation", "licenses", "version", "revision"} {
		if got.Labels["org.opencontainers.image."+label] == "" {
			t.Errorf("got no label %s", label)
		}
	}
	if got.Labels["org.opencontainers.image.version"] != "v1.2.3" {
		t.Errorf("got the version %q", got.Labels["org.opencontainers.image.version"])
	}
}

// unpack writes the files of the image, and wants no others.
func (i image) unpack(t *testing.T) {
	t.Helper()
	found := map[string]string{}
	_, layers := i.manifest(t)
	for _, layer := range layers {
		maps.Copy(found, list(t, layer))
		if err := os.MkdirAll(i.root, 0o755); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("tar", "-xpf", layer, "--same-owner", "-C", i.root).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for name, want := range map[string]string{
		"postern": "-rwxr-xr-x 0", "var/lib/postern/": "drwxr-xr-x 65532", "run/postern/": "drwxr-xr-x 65532",
		"etc/ssl/certs/ca-certificates.crt": "-rw-r--r-- 0",
	} {
		if found[name] != want {
			t.Errorf("%s: got %q, want %q", name, found[name], want)
		}
		delete(found, name)
	}
	for name, what := range found {
		if !strings.HasPrefix(what, "d") {
			t.Errorf("got %s in the image, which it need not have", name)
		}
	}
}

// list is the mode and the owner of every file of a layer.
func list(t *testing.T, layer string) map[string]string {
	t.Helper()
	file, err := os.Open(layer)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	found := map[string]string{}
	for r := tar.NewReader(file); ; {
		h, err := r.Next()
		if err == io.EOF {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = fmt.Sprintf("%s %d", h.FileInfo().Mode(), h.Uid)
	}
}

// inside runs the program in the image alone: a root that is not written, no
// capability, no network but its own loopback.
const inside = `set -eu
ip link set lo up
mount --bind "$1" "$1"
mount -o remount,bind,ro "$1"
for volume in var/lib/postern run/postern; do
  mount -t tmpfs -o mode=0700,uid=65532,gid=65532 tmpfs "$1/$volume"
done
! touch "$1/var/lib/written" 2>/dev/null
in_image() { exec setpriv --no-new-privs env -i POSTERN_STATE=/var/lib/postern \
  "$(command -v chroot)" --userspec=65532:65532 "$@"; }
in_image "$1" /postern serve &
server=$!
tries=0
until (in_image "$1" /postern healthcheck) 2>/dev/null; do
  tries=$((tries + 1))
  [ "$tries" -lt 200 ]
  sleep 0.1
done
grep -E '^(Uid|Gid|CapEff|NoNewPrivs)' "/proc/$server/status"
kill -TERM "$server"
wait "$server"
! (in_image "$1" /postern healthcheck)
`

func (i image) serve(t *testing.T) {
	t.Helper()
	out, err := exec.Command("unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child",
		"sh", "-c", inside, "sh", i.root).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"Uid:\t65532\t65532", "Gid:\t65532\t65532", "CapEff:\t0000000000000000\n", "readyz check passed", `"msg":"ended"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("got no %q:\n%s", want, out)
		}
	}
}
