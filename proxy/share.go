package proxy

import (
	"bytes"
	"errors"
	"io"

	"golang.org/x/sync/semaphore"
)

const (
	smallBody   = 64 << 10 // bytes; bodies up to this need no share
	largeBodies = 64       // largest bodies that fit into memory at a time
)

// share is the part of the memory for large bodies that one request holds.
type share struct {
	of   *semaphore.Weighted
	held int64
}

func newMemory(body int) *semaphore.Weighted {
	return semaphore.NewWeighted(largeBodies * int64(max(body, smallBody)))
}

// take reports whether there was room for n bytes more.
func (s *share) take(n int64) bool {
	if !s.of.TryAcquire(n) {
		return false
	}
	s.held += n
	return true
}

func (s *share) give(n int64) {
	s.held -= n
	s.of.Release(n)
}

func (s *share) leave() { s.give(s.held) }

// readAll reads a body within the share: one of a known length into one piece
// of that size, any other as it comes. length is -1 when it is not known.
func (s *share) readAll(r io.Reader, length, limit int64) ([]byte, error) {
	if length < 0 {
		return s.readUnknown(r, limit)
	}
	if length > smallBody && !s.take(length) {
		return nil, refused(stageDecode, reasonBusy, nil)
	}
	body := make([]byte, length)
	_, err := io.ReadFull(r, body)
	return body, err
}

// readList reads an upstream's list, of which there will be a second copy. It
// takes from the share as the list grows.
func (s *share) readList(r io.Reader) ([]byte, error) {
	var list bytes.Buffer
	for piece := int64(smallBody); ; piece = int64(list.Len()) {
		_, err := io.CopyN(&list, r, piece)
		if errors.Is(err, io.EOF) {
			return list.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		if !s.take(2 * int64(list.Len())) { // for as much again, and its copy
			return nil, refused(stageFilter, reasonBusy, nil)
		}
	}
}

// readUnknown takes as much of the share as the body could need before it
// reads on, and gives back what it did not.
func (s *share) readUnknown(r io.Reader, limit int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, smallBody))
	if err != nil || len(body) < smallBody {
		return body, err
	}
	if !s.take(limit) {
		return nil, refused(stageDecode, reasonBusy, nil)
	}
	rest, err := io.ReadAll(r)
	body = append(body, rest...)
	s.give(max(0, limit-int64(len(body))))
	return body, err
}
