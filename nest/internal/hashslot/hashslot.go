// Package hashslot knows the hash slots of a Redis Cluster: which one a key lives in, and what
// CLUSTER NODES says about who has which.
package hashslot

import "strings"

// Count is how many slots a Redis Cluster has.
const Count = 1 << 14

// Of returns the slot of a Redis Cluster that a key lives in: CRC-16/XMODEM of its hash tag,
// or of the whole key, modulo 16384 (Redis Cluster specification, "Key distribution model").
func Of(key string) uint16 {
	if open := strings.IndexByte(key, '{'); open >= 0 {
		if size := strings.IndexByte(key[open+1:], '}'); size > 0 {
			key = key[open+1 : open+1+size]
		}
	}
	var crc uint16
	for i := range len(key) {
		crc = crc<<8 ^ crcTable[byte(crc>>8)^key[i]]
	}
	return crc & (Count - 1)
}

// crcTable holds the CRC-16/XMODEM of each byte.
var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// Below returns the slots in which names that begin with lead can be: only one if lead has a
// hash tag.
func Below(lead string) (s Set) {
	if open := strings.IndexByte(lead, '{'); open >= 0 && strings.IndexByte(lead[open+1:], '}') > 0 {
		s.Add(Of(lead))
		return s
	}
	return Every()
}
