package policy_test

import (
	"strings"
	"testing"
	"time"

	"example.com/daytime/sd/policy"
)

func TestCheckTag(t *testing.T) {
	for _, key := range []string{"version", "v", "a1", "a.b_c-d", "since"} {
		if err := policy.CheckTag(key, "2.1/é=:#*%,"); err != nil {
			t.Errorf("%s: want nil, have %v", key, err)
		}
	}
	for _, key := range []string{"", "Version", "1a", ".a", "a b", "a=b", "é", "a\x00", "zone",
		"weight",
		"until", "by", "reason"} {
		if policy.CheckTag(key, "x") == nil {
			t.Errorf("key %q: want an error", key)
		}
	}
	for _, value := range []string{"", "a b", "a\tb", `"`, "'", "`", "a\n", "\x00", "\x1b", "\xff",
		"\u00a0",
		"\u202e", "\ufeff"} {
		if policy.CheckTag("k", value) == nil || policy.CheckZone(value) == nil {
			t.Errorf("value %q: want errors", value)
		}
	}
	if policy.CheckZone("a=b") == nil {
		t.Error("zone a=b: want an error")
	}
}

// Of attributes from a registry, what is wrong has its default, and costs nothing else.
func TestValid(t *testing.T) {
	a, err := policy.Attributes{Weight: new(7), Zone: "eu",
		Tags: map[string]string{"v": "1"}}.Valid()
	equal(t, "error", nil, err)
	equal(t, "weight", 7, a.EffectiveWeight())

	tags := map[string]string{"v": "1", "zone": "x", "V": "1", "w": ""}
	a, err = policy.Attributes{Weight: new(1001), Zone: "e u", Tags: tags}.Valid()
	equal(t, "valid ones", true, a.Equal(policy.Attributes{Tags: map[string]string{"v": "1"}}))
	equal(t, "tags of the caller", 4, len(tags))
	for _, part := range []string{"weight 1001", `zone "e u"`, `tag "zone"`, `tag "V"`, "tag w="} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("want %s in the error, have %v", part, err)
		}
	}
}

// A time in microseconds is one that no JSON can hold, when it is taken for milliseconds.
func TestValidSince(t *testing.T) {
	for _, test := range []struct {
		ms int64
		ok bool
	}{{1764337682000, true}, {253402300799999, true}, {253402300800000, false},
		{1764337682000000, false}, {-62167219200001, false}} {
		a, err := policy.Attributes{Weight: new(7), Since: time.UnixMilli(test.ms)}.Valid()
		if (err == nil) != test.ok || a.Since.IsZero() == test.ok || a.EffectiveWeight() != 7 {
			t.Errorf("%d: want it valid %v, have %v, %v", test.ms, test.ok, a, err)
		}
	}
}

func TestWeightThatIsUnsaid(t *testing.T) {
	equal(t, "unsaid", policy.DefaultWeight, policy.Attributes{}.EffectiveWeight())
	equal(t, "0", 0, policy.Attributes{Weight: new(0)}.EffectiveWeight())
	equal(t, "-1 is not believed", policy.DefaultWeight,
		policy.Attributes{Weight: new(-1)}.EffectiveWeight())
	equal(t, "equal", true, policy.Attributes{}.Equal(policy.Attributes{Weight: new(100)}))
	equal(t, "equal", false, policy.Attributes{}.Equal(policy.Attributes{Weight: new(0)}))
}
