package etcd_test

import (
	"errors"
	"testing"

	"example.com/daytime/sd"
	"example.com/daytime/sd/etcd/etcdtest"
	"example.com/daytime/sd/sdtest"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A cluster whose quota is used up takes no last value of an entry, and yet ends its lease: who stops
// is not called until that ends by itself.
func TestWithdrawalWithoutSpace(t *testing.T) {
	member := etcdtest.Start(t)
	client := connect(t, member.Addr())
	r := sdtest.Register(t, open(t, "etcd://"+member.Addr()+"?ttl=60s"), alice)
	await(t, phase(r, sd.Registered))
	v := follow(t, open(t, "etcd://"+member.Addr()))
	v.shows(alice)
	who, err := client.Status(t.Context(), member.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pb.NewMaintenanceClient(client.ActiveConnection()).Alarm(t.Context(), &pb.AlarmRequest{
		Action: pb.AlarmRequest_ACTIVATE, MemberID: who.Header.MemberId, Alarm: pb.AlarmType_NOSPACE,
	}); err != nil {
		t.Fatal(err)
	}
	r.Deregister()
	if s := r.State(); s.Phase != sd.Withdrawn || s.Err != nil {
		t.Errorf("want it withdrawn, and that confirmed, have %v", s)
	}
	await(t, func() error { return errors.Join(v.Shows(), v.live()) })
}
