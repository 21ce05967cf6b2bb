package strength

import (
	"strings"
	"sync"

	"github.com/ccojocar/zxcvbn-go/data"
	"github.com/go-json-experiment/json"
)

// known is what the lists say.
type known struct {
	passwords map[string]bool
	ranks     map[string]int // of words, names and passwords: its place in the list where it comes first
}

// lists are read when a password is first chosen, and not at each start.
var lists = sync.OnceValue(readLists)

func readLists() known {
	k := known{map[string]bool{}, map[string]int{}}
	for _, list := range []struct {
		name string
		most int
	}{{"Passwords", 10_000}, {"English", 40_000}, {"FemaleNames", 4_000}, {"MaleNames", 2_000}, {"Surnames", 10_000}} {
		words := read(list.name)
		for i, w := range words[:min(len(words), list.most)] {
			if rank, ok := k.ranks[w]; !ok || i < rank {
				k.ranks[w] = i
			}
			if list.name == "Passwords" {
				k.passwords[w] = true
			}
		}
	}
	return k
}

func read(name string) []string {
	var list struct{ List []string }
	if err := json.Unmarshal(data.MustAsset("data/"+name+".json"), &list); err != nil {
		panic(err) // unreachable: the list is part of the program
	}
	return list.List
}

// Characters that stand for letters; 1, ! and | for either of two.
var (
	masks     = []string{"@", "a", "4", "a", "8", "b", "(", "c", "3", "e", "6", "g", "9", "g", "0", "o", "5", "s", "$", "s", "7", "t", "+", "t", "2", "z"}
	unmaskedI = strings.NewReplacer(append([]string{"1", "i", "!", "i", "|", "i"}, masks...)...)
	unmaskedL = strings.NewReplacer(append([]string{"1", "l", "!", "l", "|", "l"}, masks...)...)
)

// unmasked are the ways to read lower with the letters its characters stand for.
func unmasked(lower string) []string {
	return []string{unmaskedI.Replace(lower), unmaskedL.Replace(lower)}
}
