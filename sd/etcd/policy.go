package etcd

import (
	"context"
	"fmt"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/internal/cluster"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// ReadPolicy implements sd.PolicyStore. The version is the revision of the last change of the
// directory's own key, 0 while there is none.
func (b *Backend) ReadPolicy(ctx context.Context) (document string, version int64, err error) {
	err = b.request(ctx, func(ctx context.Context, n *cluster.Conn) error {
		got, err := n.Get(ctx, b.config.Key)
		if err == nil && len(got.Kvs) > 0 {
			document, version = string(got.Kvs[0].Value), got.Kvs[0].ModRevision
		}
		return err
	})
	if err != nil {
		return "", 0, fmt.Errorf("etcd: read policy %s: %w", b.config.Key, err)
	}
	return document, version, nil
}

// WritePolicy implements sd.PolicyStore. It makes the directory if there is none.
func (b *Backend) WritePolicy(ctx context.Context, document string, version int64) error {
	err := b.request(ctx, func(ctx context.Context, n *cluster.Conn) error {
		result, err := n.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(b.config.Key), "=", version)).
			Then(clientv3.OpPut(b.config.Key, document)).
			Commit()
		if err == nil && !result.Succeeded {
			err = sd.ErrOutdated
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("etcd: write policy %s: %w", b.config.Key, err)
	}
	return nil
}

// request makes one request.
func (b *Backend) request(
	ctx context.Context, do func(context.Context, *cluster.Conn) error,
) error {
	calling, cancel := b.calling(ctx)
	defer cancel()
	n, err := b.cluster.Get(calling)
	if err != nil {
		return b.result(ctx, err)
	}
	bounded, cancel := n.Bounded(calling, cluster.RequestTimeout)
	defer cancel()
	switch err = do(bounded, n); {
	case err == nil:
		return nil
	case err == sd.ErrOutdated:
		return err
	}
	return b.result(ctx, n.Judge(calling, err))
}
