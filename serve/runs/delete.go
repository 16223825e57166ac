package runs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// deletedPrefix begins the names of folders that are being deleted. They are hidden, and a server
// that starts removes what another one left.
const deletedPrefix = ".deleted-"

// Delete removes the folder of a run, with all that is in it. It refuses while any process trains
// there. The folder gets a hidden name first, so that no half of a run is ever seen.
func (s *Service) Delete(name string) error {
	if s.forget(name) {
		return nil
	}
	if _, err := s.idle(name); err != nil {
		return err
	}
	root, err := s.openRuns()
	if err != nil {
		return err
	}
	defer root.Close()
	hidden := deletedPrefix + rand.Text() + "-" + name
	if err := s.hide(root, name, hidden); err != nil {
		return err
	}
	s.curves.drop(name)
	s.seen.forget(name)
	if err := root.RemoveAll(hidden); err != nil {
		return fmt.Errorf("delete run %s: some of it is left in %s: %w", name, hidden, err)
	}
	return nil
}

// forget forgets a run that failed before it had a folder. ok is false where there is none.
func (s *Service) forget(name string) (ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failures[name] == nil {
		return false
	}
	if _, err := os.Lstat(s.path(name)); !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	delete(s.failures, name)
	return true
}

// hide renames the folder of a run, under its lock. No training of this service begins meanwhile.
func (s *Service) hide(root *os.Root, name, hidden string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.trains(); t != nil && (t.name == name || t.teacher == name) {
		return conflict("run %s is in use: run %s trains", name, t.name)
	}
	v, err := viewIn(root, name) // which refuses a link
	if err != nil {
		return err
	}
	defer v.Close()
	unlock, ok := v.TryLock()
	if !ok {
		return conflict("run %s trains in another process: stop it there", name)
	}
	defer unlock()
	err = root.Rename(name, hidden)
	if err != nil { // some systems do not rename a folder in which a file is open
		unlock()
		v.Close()
		err = root.Rename(name, hidden)
	}
	if err != nil {
		return fmt.Errorf("delete run %s: %w", name, err)
	}
	delete(s.failures, name)
	return nil
}

// finishDeleting removes what is left of runs that were being deleted. What cannot be removed stays
// hidden.
func (s *Service) finishDeleting() {
	root, err := s.openRuns()
	if err != nil {
		return
	}
	defer root.Close()
	entries, err := os.ReadDir(s.options.Runs)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), deletedPrefix) {
			_ = root.RemoveAll(e.Name())
		}
	}
}
