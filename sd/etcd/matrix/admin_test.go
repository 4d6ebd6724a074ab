package matrix

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// adminTimeout bounds one request to one member.
const adminTimeout = time.Second

// An admin is another program that is connected to every member: etcd's own client, once for each,
// so that one that does not answer costs its own time only.
type admin []*clientv3.Client

func newAdmin(t testing.TB, addrs []string) (a admin) {
	t.Helper()
	for _, addr := range addrs {
		a = append(a, connect(t, addr))
	}
	return a
}

// connect is a client of etcd's own.
func connect(t testing.TB, addrs ...string) *clientv3.Client {
	t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: addrs, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// An answer is what a read through one member has found.
type answer struct {
	client *clientv3.Client
	kvs    []*mvccpb.KeyValue
	err    error
}

// get reads entries as the majority has them. It asks all members at once, and returns the answer
// of the first.
func (a admin) get(key string, options ...clientv3.OpOption) (answer, error) {
	ctx, cancel := context.WithTimeout(
		clientv3.WithRequireLeader(context.Background()), adminTimeout)
	defer cancel()
	answers := make(chan answer, len(a))
	for _, c := range a {
		go func() {
			got, err := c.Get(ctx, key, options...)
			if err != nil {
				answers <- answer{err: err}
				return
			}
			answers <- answer{client: c, kvs: got.Kvs}
		}()
	}
	var errs []error
	for range a {
		first := <-answers
		if first.err == nil {
			return first, nil
		}
		errs = append(errs, first.err)
	}
	return answer{}, errors.Join(errs...)
}

// write makes a request through a member that has just answered. One to a member that stands still
// might be carried out long after.
func (a admin) write(do func(ctx context.Context, c *clientv3.Client) error) error {
	found, err := a.get(directory)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	return do(ctx, found.client)
}

// registered are the names in the directory, sorted.
func (a admin) registered() (names []string, err error) {
	found, err := a.get(directory, clientv3.WithPrefix(), clientv3.WithKeysOnly())
	for _, kv := range found.kvs {
		names = append(names, strings.TrimPrefix(string(kv.Key), directory))
	}
	slices.Sort(names)
	return names, err
}

// entry is that of an instance.
func (a admin) entry(instance string) (*mvccpb.KeyValue, error) {
	found, err := a.get(directory + instance)
	if err == nil && len(found.kvs) == 0 {
		err = fmt.Errorf("%s is not registered", instance)
	}
	if err != nil {
		return nil, err
	}
	return found.kvs[0], nil
}

// put writes an entry of a name, without a lease.
func (a admin) put(name, value string) error {
	return a.write(func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Put(ctx, directory+name, value)
		return err
	})
}

// remove deletes the entry of a name.
func (a admin) remove(name string) error {
	return a.write(func(ctx context.Context, c *clientv3.Client) error {
		_, err := c.Delete(ctx, directory+name)
		return err
	})
}

// term is that of the latest election that anybody knows of; 0 if nobody answers.
func (a admin) term() (term uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), adminTimeout)
	defer cancel()
	for _, c := range a {
		if status, err := c.Status(ctx, c.Endpoints()[0]); err == nil {
			term = max(term, status.RaftTerm)
		}
	}
	return term
}
