//go:build unix

package policy

import (
	"io/fs"
	"syscall"
)

// inode tells a file from another that took its name, as an atomic rename does.
func inode(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Ino)
	}
	return 0
}
