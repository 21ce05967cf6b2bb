package store

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// Who makes room for a client that registers itself from network "n", when
// there are as many as there may be.
func TestUnusedClientsAreBounded(t *testing.T) {
	const old = -2 * youngClient
	type given struct {
		id, network string
		age         time.Duration
	}
	for name, row := range map[string]struct {
		limit   int
		there   []given
		started string
		dropped []string
		want    error
	}{
		"there is room":                   {3, []given{{"a", "x", old}, {"b", "x", old}}, "", nil, nil},
		"the oldest":                      {2, []given{{"a", "x", old}, {"b", "x", old - 1}}, "", []string{"b"}, nil},
		"as many as are too many":         {2, []given{{"a", "x", old}, {"b", "x", old - 1}, {"c", "x", old - 2}}, "", []string{"b", "c"}, nil},
		"an old one before young ones":    {3, []given{{"a", "x", 0}, {"b", "x", 0}, {"c", "y", old}}, "", []string{"c"}, nil},
		"an old one that somebody uses":   {2, []given{{"a", "x", old}, {"b", "x", old + 1}}, "a", []string{"b"}, nil},
		"of the network with most":        {3, []given{{"a", "x", 0}, {"b", "x", -1}, {"c", "y", -2}}, "", []string{"b"}, nil},
		"of that, one nobody came with":   {3, []given{{"a", "x", 0}, {"b", "x", -1}, {"c", "y", -2}}, "b", []string{"a"}, nil},
		"everybody has one":               {3, []given{{"a", "x", 0}, {"b", "y", 0}, {"c", "z", 0}}, "", nil, ErrFull},
		"who registers has most":          {3, []given{{"a", "n", 0}, {"b", "n", 0}, {"c", "z", 0}}, "", nil, ErrFull},
		"who registers has one less":      {3, []given{{"a", "x", 0}, {"b", "x", 0}, {"c", "n", 0}}, "", nil, ErrFull},
		"those of operators do not count": {1, []given{{"a", "operator", old}}, "", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, open opener) {
				s := open(t)
				for _, v := range row.there {
					must(t, s.AddClient(t.Context(), Client{ID: v.id, Network: v.network, Dynamic: v.network != "operator", CreatedAt: t0.Add(v.age)}, 100))
				}
				must(t, s.StartClient(t.Context(), row.started, t0))
				must(t, s.AddClient(t.Context(), Client{ID: "used", Dynamic: true, CreatedAt: t0.Add(2 * old)}, 100))
				_, err := s.write.Exec("UPDATE clients SET used_at = 1 WHERE id = 'used'")
				must(t, err)
				want(t, s.AddClient(t.Context(), Client{ID: "new", Network: "n", Dynamic: true, CreatedAt: t0}, row.limit), row.want)
				for _, v := range append(row.there, given{id: "used"}) {
					if _, err := s.Client(t.Context(), v.id); (err != nil) != slices.Contains(row.dropped, v.id) {
						t.Errorf("%s: %v", v.id, err)
					}
				}
				if _, err := s.Client(t.Context(), "new"); (err == nil) != (row.want == nil) {
					t.Errorf("the new one: %v", err)
				}
			})
		})
	}
}

func TestClientIsFreshUntilSomebodyComes(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		s := open(t)
		fresh := func(id string) bool {
			c, err := s.Client(t.Context(), id)
			must(t, err)
			return c.Fresh
		}
		must(t, s.AddClient(t.Context(), Client{ID: "c1", Dynamic: true, CreatedAt: t0}, 10))
		must(t, s.AddClient(t.Context(), Client{ID: "c2", CreatedAt: t0}, 10))
		if !fresh("c1") || fresh("c2") {
			t.Errorf("its own %v, the operator's %v", fresh("c1"), fresh("c2"))
		}
		must(t, s.StartClient(t.Context(), "c1", t0))
		if fresh("c1") {
			t.Error("somebody came")
		}
	})
}

// Many register at once where the limit is reached: each is in, and the limit holds.
func TestManyRegistrationsAtOnce(t *testing.T) {
	for kind, address := range map[string]string{"sqlite": newFile(t), "postgres": newDatabase(t) + "&pool_max_conns=80"} {
		s := openURL(t, address)
		const limit, many = 100, 90
		for i := range limit {
			must(t, s.AddClient(t.Context(), Client{ID: fmt.Sprint("old", i), Dynamic: true, CreatedAt: t0.Add(-2 * youngClient)}, limit))
		}
		var all sync.WaitGroup
		for i := range many {
			all.Go(func() {
				c := Client{ID: fmt.Sprint("new", i), Dynamic: true, Network: fmt.Sprint(i % 3), CreatedAt: t0}
				if err := s.AddClient(context.Background(), c, limit); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
			})
		}
		all.Wait()
		must(t, s.AddClient(t.Context(), Client{ID: "last", Dynamic: true, CreatedAt: t0.Add(2 * youngClient)}, limit))
		var n int
		must(t, s.read.QueryRow("SELECT count(*) FROM clients").Scan(&n))
		if n > limit {
			t.Errorf("%s: %d clients", kind, n)
		}
	}
}
