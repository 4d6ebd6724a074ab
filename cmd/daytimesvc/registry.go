package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"example.com/daytime/cmd/internal/registry"
	"example.com/daytime/cmd/internal/shell"
	"example.com/daytime/cmd/internal/telemetry"
	"example.com/daytime/sd"
	"example.com/daytime/sd/dns"
	"example.com/daytime/sd/etcd"
	"example.com/daytime/sd/file"
	"example.com/daytime/sd/policy"
	"example.com/daytime/sd/zk"
)

// schemes are the kinds of registry that the program knows, which report to e under a label.
func schemes(e *telemetry.Exporter) func(label string) sd.Schemes {
	return func(label string) sd.Schemes {
		return sd.Schemes{"zk": e.ZK(label), "etcd": e.Etcd(label), "dns": dns.Open,
			"file": file.Open, "fixed": sd.OpenFixed}
	}
}

// registers reports whether there is a registry, rather than a fixed list.
func (c *config) registers() bool { return !slices.ContainsFunc(c.sd, isFixed) }

func isFixed(url string) bool { return strings.HasPrefix(url, "fixed://") }

// checkRegistries refuses a registry that only discovers. A fixed list is one, too, and stands for
// none, if it stands alone.
func (c *config) checkRegistries() error {
	for _, url := range c.sd {
		if len(c.sd) > 1 && isFixed(url) {
			return shell.UsageError("sd", fmt.Errorf("%q: registers nowhere; leave it out, or the others",
				url))
		}
		for _, scheme := range []string{"dns", "file"} {
			if strings.HasPrefix(url, scheme+"://") {
				return shell.UsageError("sd", fmt.Errorf("%q: %w; want zk:// or etcd://, or fixed:// to "+
					"register nowhere", url, errReadOnly))
			}
		}
		if t, err := sd.ParseTarget(url); err == nil && t.Keys["layout"] != "" {
			return shell.UsageError("sd", fmt.Errorf("%q: %w; want it without layout", url, errReadOnly))
		}
	}
	return nil
}

// checkTargets refuses what registry.Open would refuse, and connects to nothing.
func checkTargets(urls registry.URLs) error {
	checking := func(check func(sd.Target) (sd.Target, error)) func(sd.Target) (sd.Backend, error) {
		return func(t sd.Target) (sd.Backend, error) {
			full, err := check(t)
			return checkedTarget{target: full}, err
		}
	}
	all, err := registry.Open(urls, func(string) sd.Schemes {
		s := schemes(nil)("")
		s["zk"], s["etcd"] = checking(zk.CheckTarget), checking(etcd.CheckTarget)
		return s
	})
	all.Close()
	return err
}

// A checkedTarget stands for a registry that is not opened.
type checkedTarget struct {
	sd.Backend // none
	target     sd.Target
}

func (b checkedTarget) Target() sd.Target { return b.target }
func (b checkedTarget) Close() error      { return nil }

// errReadOnly: see checkRegistries.
var errReadOnly = errors.New("this registry can be read, and takes no registration")

// attributes are what a server says of itself beside its address.
type attributes struct{ policy.Attributes }

// addFlags adds the flags of attributes.
func (a *attributes) addFlags(flags *pflag.FlagSet) {
	flags.Var(weightFlag{a}, "weight", fmt.Sprintf("how many calls the servers want, beside those of "+
		"others: 0 to %d, %d if it is left out", policy.MaxWeight, policy.DefaultWeight))
	flags.Var(shell.Value(&a.Zone, "name", parseZone), "zone",
		"where they are; clients of the same zone prefer them")
	flags.Var(tagFlag{a}, "tag", "key=value: more of that kind, such as version=2.1; may be repeated")
}

func parseZone(text string) (string, error) {
	return text, plain(policy.CheckZone(text), "zone", text)
}

// A weightFlag is the value of --weight, which may be unsaid.
type weightFlag struct{ *attributes }

func (f weightFlag) Type() string { return "number" }

func (f weightFlag) String() string {
	if f.attributes == nil || f.Weight == nil {
		return ""
	}
	return strconv.Itoa(*f.Weight)
}

func (f weightFlag) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || policy.CheckWeight(n) != nil {
		return fmt.Errorf("want a whole number, 0 to %d", policy.MaxWeight)
	}
	f.Weight = &n
	return nil
}

// A tagFlag is the value of --tag. One that is given again adds to the tags.
type tagFlag struct{ *attributes }

func (f tagFlag) Type() string   { return "key=value" }
func (f tagFlag) String() string { return "" }

// Set adds a tag, or several with blanks between, as a variable has them.
func (f tagFlag) Set(text string) error {
	if many := strings.Fields(text); len(many) > 1 {
		for _, one := range many {
			if err := f.add(one); err != nil {
				return err
			}
		}
		return nil
	}
	return f.add(text)
}

func (f tagFlag) add(text string) error {
	key, value, found := strings.Cut(text, "=")
	if !found {
		return errors.New("want key=value, such as version=2.1")
	}
	if err := policy.CheckTag(key, value); err != nil {
		return plain(err, "", "")
	}
	if old, twice := f.Tags[key]; twice {
		return fmt.Errorf("want each key once; %s=%s stands before it", key, old)
	}
	if f.Tags == nil {
		f.Tags = map[string]string{}
	}
	f.Tags[key] = value
	return nil
}

// plain is err without what the flag and its value say already.
func plain(err error, kind, value string) error {
	if err == nil {
		return nil
	}
	text := strings.TrimPrefix(err.Error(), "policy: ")
	if kind != "" {
		text = strings.TrimPrefix(text, fmt.Sprintf("%s %.64q: ", kind, value))
	}
	return errors.New(text)
}
