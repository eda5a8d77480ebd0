package fleet

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// StepClock has a running program of ours see a time of day that is wrong by so
// many seconds from now on, and no other program. Clocks that only run on, which
// measure how long something took, stay right, as when an operator sets the time.
//
// The kernel gives each program its clocks as code, which a debugger may write
// over, and so do we.
func StepClock(pid int, by time.Duration) error {
	start, image, err := kernelCode(pid)
	if err != nil {
		return err
	}
	at, size, err := clockIn(image)
	if err != nil {
		return err
	}
	if size < uint64(len(steppedClock)+8) {
		return fmt.Errorf("the kernel's clock takes %d bytes, too few to write over", size)
	}
	code := binary.LittleEndian.AppendUint64(bytes.Clone(steppedClock), uint64(int64(by/time.Second)))
	return halted(pid, start+at, start+at+size, func() error { return write(pid, start+at, code) })
}

// steppedClock asks the kernel, and adds the seconds that stand behind it to the
// time of day.
var steppedClock = []byte{
	0xb8, 228, 0, 0, 0, // mov eax, clock_gettime
	0x0f, 0x05, // syscall
	0x85, 0xff, // test edi, edi: CLOCK_REALTIME is 0
	0x75, 0x0a, // jnz to the end
	0x48, 0x8b, 0x0d, 6, 0, 0, 0, // mov rcx, what stands behind
	0x48, 0x01, 0x0e, // add [rsi], rcx
	0xc3,       // ret
	0x90, 0x90, // so that the seconds are aligned
}

// kernelCode is where a program has the code that the kernel gave it, and a copy.
func kernelCode(pid int) (start uint64, image []byte, err error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, nil, err
	}
	for line := range strings.Lines(string(maps)) {
		var end uint64
		if !strings.HasSuffix(strings.TrimSpace(line), "[vdso]") {
			continue
		}
		if _, err := fmt.Sscanf(line, "%x-%x", &start, &end); err != nil {
			return 0, nil, err
		}
		memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
		if err != nil {
			return 0, nil, err
		}
		defer memory.Close()
		image = make([]byte, end-start)
		_, err = memory.ReadAt(image, int64(start))
		return start, image, err
	}
	return 0, nil, errors.New("the program has no clock of the kernel's")
}

// clockIn is where the clock begins in the kernel's code, and how long it is.
func clockIn(image []byte) (at, size uint64, err error) {
	file, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return 0, 0, err
	}
	symbols, err := file.DynamicSymbols()
	for _, s := range symbols {
		if s.Name == "__vdso_clock_gettime" {
			return s.Value, s.Size, nil
		}
	}
	return 0, 0, errors.Join(errors.New("the kernel's code has no clock"), err)
}

// halted runs f while the program stands still and none of its threads is within
// some of its code.
func halted(pid int, from, to uint64, f func() error) error {
	defer syscall.Kill(pid, syscall.SIGCONT) //nolint:errcheck // it may have ended
	for enough := time.Now().Add(patience); time.Now().Before(enough); time.Sleep(time.Millisecond) {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			return err
		}
		if outside(pid, from, to) {
			return f()
		}
		if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
			return err
		}
	}
	return errors.New("the program does not stand still outside of its clock")
}

func outside(pid int, from, to uint64) bool {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid)) // the pattern is well formed
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		words := strings.Fields(string(text))
		var at uint64
		if err != nil || len(words) < 3 { // it has not stopped yet
			return false
		}
		if _, err := fmt.Sscanf(words[len(words)-1], "0x%x", &at); err != nil || at >= from && at < to {
			return false
		}
	}
	return len(threads) > 0
}

func write(pid int, at uint64, code []byte) error {
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", pid), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	_, err = memory.WriteAt(code, int64(at))
	return err
}
