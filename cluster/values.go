package cluster

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unsafe"
)

// FloatBytes returns the memory of x as bytes, in the order of the machine. It is a view.
func FloatBytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// IndexBytes returns the memory of x as bytes, in the order of the machine. It is a view.
func IndexBytes(x []int32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// BroadcastBytes returns the data of rank root on all ranks. Other ranks need not know its length;
// what they pass is not used.
func BroadcastBytes(c Comm, root int, data []byte) ([]byte, error) {
	var head [8]byte
	binary.LittleEndian.PutUint64(head[:], uint64(len(data)))
	if err := c.Broadcast(root, head[:]); err != nil {
		return nil, err
	}
	if c.Rank() != root {
		data = make([]byte, binary.LittleEndian.Uint64(head[:]))
	}
	if err := c.Broadcast(root, data); err != nil {
		return nil, err
	}
	return data, nil
}

// BroadcastValue gives *v of rank root to all ranks, as JSON.
func BroadcastValue[T any](c Comm, root int, v *T) error {
	var text []byte
	if c.Rank() == root {
		var err error
		if text, err = json.Marshal(v); err != nil {
			return fmt.Errorf("cluster: value for other ranks: %w", err)
		}
	}
	text, err := BroadcastBytes(c, root, text)
	if err != nil || c.Rank() == root {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("cluster: value of rank %d: %w", root, err)
	}
	return nil
}

// Gather returns on rank root the data of all ranks, by rank; lengths may differ. On other ranks
// it returns nil. Collective.
func Gather(c Comm, root int, data []byte) ([][]byte, error) {
	checkRoot(c, root)
	var head [8]byte
	if c.Rank() != root {
		binary.LittleEndian.PutUint64(head[:], uint64(len(data)))
		if err := c.Send(root, head[:]); err != nil {
			return nil, err
		}
		return nil, c.Send(root, data)
	}
	all := make([][]byte, c.Size())
	for rank := range all {
		if rank == root {
			all[rank] = bytes.Clone(data)
			continue
		}
		if err := c.Receive(rank, head[:]); err != nil {
			return nil, err
		}
		all[rank] = make([]byte, binary.LittleEndian.Uint64(head[:]))
		if err := c.Receive(rank, all[rank]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Same reports to all ranks whether they hold the same bytes. It moves their hashes alone.
func Same(c Comm, data []byte) (bool, error) {
	sum := sha256.Sum256(data)
	all, err := Gather(c, 0, sum[:])
	if err != nil {
		return false, err
	}
	same := true
	for _, other := range all {
		same = same && bytes.Equal(other, sum[:])
	}
	err = BroadcastValue(c, 0, &same)
	return same, err
}
