#!/usr/bin/env bash
# A real Kubernetes of one node on one machine, without Docker: for tests. Root and Debian's packages are
# enough to run it, Go only to build it. docs/test-cluster.md tells why it is made as it is.
#
#   cluster.sh deps            Debian's packages
#   cluster.sh unpack FOLDER   ready binaries from FOLDER/*.xz (8 s)
#   cluster.sh build           the same from source (15 minutes on 2 cores)
#   cluster.sh up              start; `status` lists what runs
#   cluster.sh down            stop it, unmount, remove the network namespace and all data
#   cluster.sh exec COMMAND    run COMMAND in the cluster's network namespace
#   cluster.sh import FILE     an archive of an image -> containerd
#   cluster.sh stop-api, start-api   the API server alone
#
# State and binaries are in $CLUSTER_HOME. Everything runs in one network namespace, so no bridge, address
# or iptables rule touches the host, but in the host's mount namespace, so that kubelet's mounts are
# containerd's: hence nsenter and not `ip netns exec`, which would make a mount namespace for each call.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CLUSTER_HOME=${CLUSTER_HOME:-${TMPDIR:-/tmp}/lockstep-cluster}
BIN=$CLUSTER_HOME/bin RUN=$CLUSTER_HOME/run PKI=$CLUSTER_HOME/run/pki LOGS=$CLUSTER_HOME/run/logs
NETNS=lockstep-cluster
NODE=node NODE_IP=10.99.0.1
POD_CIDR=10.244.0.0/24 SVC_CIDR=10.96.0.0/24 SVC_API=10.96.0.1 SVC_DNS=10.96.0.10
K8S=v1.35.4 HELM3=v3.22.0 HELM4=v4.3.1
API=https://127.0.0.1:6443
PAUSE_IMAGE=cluster.local.test/pause:1
export KUBECONFIG=$RUN/admin.kubeconfig

say() { printf 'cluster    %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }
in_ns() { nsenter --net="/run/netns/$NETNS" -- "$@"; }
kctl() { in_ns "$BIN/kubectl" "$@"; }

deps() {
  export DEBIAN_FRONTEND=noninteractive
  local install=(apt-get install -y -qq --no-install-recommends containerd runc
    containernetworking-plugins iptables conntrack iproute2 util-linux openssl buildah xz-utils)
  "${install[@]}" > /dev/null || { apt-get update -qq && "${install[@]}" > /dev/null; }
}

links() {
  local p
  for p in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    ln -sf kube "$BIN/$p"
  done
}

unpack() { # folder
  local f name
  mkdir -p "$BIN"
  for f in "$1"/*.xz; do
    name=$(basename "$f" .xz)
    [ -x "$BIN/$name" ] || { xz -dc "$f" > "$BIN/$name"; chmod +x "$BIN/$name"; } &
  done
  wait
  (cd "$BIN" && sha256sum --quiet -c "$1/SHA256SUMS") || die 'a binary is damaged'
  links
}

build() {
  mkdir -p "$BIN"
  export CGO_ENABLED=0
  local minor ld p
  minor=${K8S#v1.}; minor=${minor%%.*}
  ld='-s -w'
  for p in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    ld+=" -X $p.gitVersion=$K8S -X $p.gitMajor=1 -X $p.gitMinor=$minor"
    ld+=" -X $p.gitTreeState=clean -X $p.buildDate=1970-01-01T00:00:00Z"
  done
  say "build kube $K8S"
  (cd "$HERE/kube" && go build -trimpath -buildvcs=false -ldflags "$ld" -o "$BIN/kube" .)
  links
  say "build helm $HELM3"
  (cd "$HERE/helm3" && go build -trimpath -buildvcs=false -o "$BIN/helm3" -ldflags "-s -w \
     -X helm.sh/helm/v3/internal/version.version=$HELM3 \
     -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=$minor \
     -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=$minor" \
     helm.sh/helm/v3/cmd/helm)
  say "build helm $HELM4"
  (cd "$HERE/helm4" && go build -trimpath -buildvcs=false -o "$BIN/helm4" -ldflags "-s -w \
     -X helm.sh/helm/v4/internal/version.version=$HELM4" helm.sh/helm/v4/cmd/helm)
  say "build coredns"
  (cd "$HERE/coredns" && go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$BIN/coredns" .)
  say "build pause"
  (cd "$HERE/pause" && go build -trimpath -buildvcs=false -ldflags '-s -w' -o "$BIN/pause" .)
  say "built"
}

# --- certificates -----------------------------------------------------------
cert() { # name CN O [SAN]
  local n=$1 cn=$2 o=$3 san=${4:-}
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -keyout "$PKI/$n.key" -out "$PKI/$n.csr" -subj "/O=$o/CN=$cn" 2>/dev/null
  openssl x509 -req -in "$PKI/$n.csr" -CA "$PKI/ca.crt" -CAkey "$PKI/ca.key" -CAcreateserial \
    -days 30 -out "$PKI/$n.crt" -extfile <(
      echo 'keyUsage=digitalSignature,keyEncipherment'
      echo 'extendedKeyUsage=serverAuth,clientAuth'
      if [ -n "$san" ]; then echo "subjectAltName=$san"; fi) 2>/dev/null
}

kubeconfig() { # name
  cat > "$RUN/$1.kubeconfig" <<Y
apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: "$API", certificate-authority: $PKI/ca.crt}}]
users: [{name: $1, user: {client-certificate: $PKI/$1.crt, client-key: $PKI/$1.key}}]
contexts: [{name: test, context: {cluster: test, user: $1}}]
Y
}

pki() {
  mkdir -p "$PKI"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
    -keyout "$PKI/ca.key" -out "$PKI/ca.crt" -subj /CN=lockstep-test-ca \
    -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
  openssl genrsa -out "$PKI/sa.key" 2048 2>/dev/null
  openssl rsa -in "$PKI/sa.key" -pubout -out "$PKI/sa.pub" 2>/dev/null
  cert apiserver kube-apiserver kubernetes "DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:127.0.0.1,IP:$NODE_IP,IP:$SVC_API"
  cert apiserver-kubelet kube-apiserver-kubelet-client system:masters
  cert admin admin system:masters
  cert controller-manager system:kube-controller-manager system:kube-controller-manager
  cert scheduler system:kube-scheduler system:kube-scheduler
  cert proxy system:kube-proxy system:node-proxier
  cert coredns lockstep-test:coredns lockstep-test
  cert kubelet "system:node:$NODE" system:nodes "DNS:$NODE,IP:$NODE_IP"
  local n
  for n in admin controller-manager scheduler proxy coredns kubelet; do kubeconfig "$n"; done
}

# --- processes --------------------------------------------------------------
start() { # name cmd...
  local n=$1; shift
  # setsid: not ended with the shell that ran 'up'
  setsid nsenter --net="/run/netns/$NETNS" -- "$@" > "$LOGS/$n.log" 2>&1 < /dev/null &
  echo $! > "$RUN/$n.pid"
}

alive() { [ -s "$RUN/$1.pid" ] && kill -0 "$(cat "$RUN/$1.pid")" 2>/dev/null; }

wait_for() { # seconds what cmd...
  local end=$((SECONDS + $1)) what=$2; shift 2
  until "$@" > /dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { tail -n 5 "$LOGS"/*.log >&2; die "$what was not ready in time"; }
    sleep 0.2
  done
  say "$what ready"
}

network() {
  ip netns add "$NETNS"
  in_ns ip link set lo up
  in_ns ip addr add "$NODE_IP/32" dev lo
  in_ns sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables'
}

config_files() {
  mkdir -p "$RUN/cni"
  cat > "$RUN/cni/10-node.conflist" <<Y
{"cniVersion": "1.0.0", "name": "node", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": "$RUN/cni-ipam",
            "ranges": [[{"subnet": "$POD_CIDR"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
Y
  cat > "$RUN/containerd.toml" <<Y
version = 2
root = "$RUN/containerd"
state = "$RUN/containerd-state"
[grpc]
  address = "$RUN/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE_IMAGE"
  # without CAP_SYS_RESOURCE nobody may lower oom_score_adj, as runc would for a
  # sandbox (-998); this keeps it at containerd's own value
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$RUN/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "/usr/sbin/runc"
        SystemdCgroup = false
Y
  printf 'nameserver 127.0.0.1\n' > "$RUN/resolv.conf"
  cat > "$RUN/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: $PKI/ca.crt}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet.crt
tlsPrivateKeyFile: $PKI/kubelet.key
containerRuntimeEndpoint: unix://$RUN/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [$SVC_DNS]
resolvConf: $RUN/resolv.conf
podLogsDir: $RUN/podlogs
volumePluginDir: $RUN/volumeplugins
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%"}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
# A ConfigMap volume shows a change within this and not within the default of 1 m.
syncFrequency: 5s
Y
  cat > "$RUN/proxy.yaml" <<Y
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: $RUN/proxy.kubeconfig}
mode: iptables
clusterCIDR: $POD_CIDR
hostnameOverride: $NODE
bindAddress: 0.0.0.0
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
Y
  cat > "$RUN/Corefile" <<Y
.:53 {
    bind $NODE_IP
    errors
    kubernetes cluster.local in-addr.arpa {
        kubeconfig $RUN/coredns.kubeconfig test
        pods insecure
        ttl 5
    }
    cache 5
}
Y
}

dns_objects() {
  cat <<Y
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: lockstep-test-coredns}
rules:
- {apiGroups: [""], resources: [endpoints, services, pods, namespaces], verbs: [list, watch]}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: lockstep-test-coredns}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: lockstep-test-coredns}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "lockstep-test:coredns"}]
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec:
  clusterIP: $SVC_DNS
  ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns-node, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53, protocol: TCP}]
endpoints: [{addresses: ["$NODE_IP"], conditions: {ready: true}}]
Y
}

api() {
  start kube-apiserver "$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --bind-address=0.0.0.0 --secure-port=6443 --advertise-address="$NODE_IP" \
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
    --client-ca-file="$PKI/ca.crt" --authorization-mode=Node,RBAC \
    --enable-admission-plugins=NodeRestriction --allow-privileged=true \
    --service-cluster-ip-range="$SVC_CIDR" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --kubelet-client-certificate="$PKI/apiserver-kubelet.crt" --kubelet-client-key="$PKI/apiserver-kubelet.key" \
    --event-ttl=1h
  wait_for 90 kube-apiserver kctl get --raw /readyz
}

up() {
  [ ! -e "/run/netns/$NETNS" ] || die "one is up already: $0 down, with its CLUSTER_HOME, ends it"
  # Half a cluster is nobody's.
  trap '[ $? = 0 ] || down' EXIT
  mkdir -p "$RUN" "$LOGS"
  pki; config_files; network
  start etcd "$BIN/etcd" --name test --data-dir "$RUN/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster test=http://127.0.0.1:2380 --log-level warn
  start containerd containerd --config "$RUN/containerd.toml"
  api
  start kube-controller-manager "$BIN/kube-controller-manager" \
    --kubeconfig="$RUN/controller-manager.kubeconfig" --leader-elect=false --bind-address=127.0.0.1 \
    --use-service-account-credentials --root-ca-file="$PKI/ca.crt" \
    --service-account-private-key-file="$PKI/sa.key"
  start kube-scheduler "$BIN/kube-scheduler" --kubeconfig="$RUN/scheduler.kubeconfig" \
    --leader-elect=false --bind-address=127.0.0.1
  start kube-proxy "$BIN/kube-proxy" --config="$RUN/proxy.yaml"
  dns_objects | kctl apply -f - > /dev/null
  start coredns "$BIN/coredns" -conf "$RUN/Corefile"
  wait_for 60 'default service account' kctl -n default get serviceaccount default
  wait_for 30 containerd ctr -a "$RUN/containerd.sock" version
  pause_image
  start kubelet "$BIN/kubelet" --config="$RUN/kubelet.yaml" --kubeconfig="$RUN/kubelet.kubeconfig" \
    --root-dir="$RUN/kubelet" --cert-dir="$PKI" --hostname-override="$NODE" --node-ip="$NODE_IP" --v=2
  wait_for 90 'node object' kctl get node "$NODE"
  wait_for 90 node kctl wait --for=condition=Ready "node/$NODE" --timeout=60s
}

stop() { # names: TERM to all, then KILL to what is left after GRACE tenths of a second
  local n pid i left
  for n; do if alive "$n"; then kill "$(cat "$RUN/$n.pid")" 2>/dev/null || true; fi; done
  for i in $(seq "${GRACE:-50}"); do
    left=''
    for n; do if alive "$n"; then left+=" $n"; fi; done
    [ -n "$left" ] || break
    sleep 0.1
  done
  for n in $left; do kill -9 "$(cat "$RUN/$n.pid")" 2>/dev/null || true; done
  for n; do rm -f "$RUN/$n.pid"; done
}

remains() { # pids in our namespace that have our folder in their arguments
  local p
  for p in $(ip netns pids "$NETNS" 2>/dev/null); do
    if { tr '\0' ' ' < "/proc/$p/cmdline"; } 2>/dev/null | grep -qF -- "$RUN/"; then echo "$p"; fi
  done
}

down() {
  [ -d "$RUN" ] || [ -e "/run/netns/$NETNS" ] || return 0
  local p c
  if [ ! -d "$RUN" ] && [ -z "$(remains)" ] && [ -n "$(ip netns pids "$NETNS")" ]; then
    die 'what runs in the network namespace is of another CLUSTER_HOME'
  fi
  stop kubelet kube-scheduler kube-controller-manager kube-proxy coredns
  if alive containerd; then
    local ctr=(ctr -a "$RUN/containerd.sock" -n k8s.io)
    "${ctr[@]}" tasks ls -q 2>/dev/null | xargs -r -n1 "${ctr[@]}" tasks kill -s SIGKILL 2>/dev/null || true
    sleep 0.5
    "${ctr[@]}" tasks ls -q 2>/dev/null | xargs -r -n1 "${ctr[@]}" tasks rm -f > /dev/null 2>&1 || true
  fi
  stop containerd
  GRACE=5 stop kube-apiserver etcd # their data goes with them
  # what is left: shims with the containers below them, and all of it where the run folder was taken away
  for p in $(remains); do
    { pkill -9 -P "$p"; kill -9 "$p"; } 2>/dev/null || true
  done
  awk -v r="$RUN/" 'index($2, r) == 1 {print $2}' /proc/self/mounts | sort -r | while read -r p; do umount -l "$p" || true; done
  [ ! -e "/run/netns/$NETNS" ] || ip netns del "$NETNS"
  for c in /sys/fs/cgroup/*/kubepods; do
    if [ -d "$c" ]; then find "$c" -depth -type d -exec rmdir {} + 2>/dev/null || true; fi
  done
  rm -rf "$RUN"
  say 'taken down'
}

# The image of every pod's sandbox: one static program, packed by hand since nothing can be fetched.
pause_image() {
  local t id
  t=$(mktemp -d "$RUN/pause.XXXX")
  tar --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$BIN" -cf "$t/layer.tar" pause
  printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/pause"]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[]}' \
    "$(dpkg --print-architecture)" "$(sha256sum "$t/layer.tar" | cut -d' ' -f1)" > "$t/config.json"
  id=$(sha256sum "$t/config.json" | cut -d' ' -f1)
  mv "$t/config.json" "$t/$id.json"
  printf '[{"Config":"%s.json","RepoTags":["%s"],"Layers":["layer.tar"]}]' "$id" "$PAUSE_IMAGE" > "$t/manifest.json"
  tar -C "$t" -cf "$t/image.tar" manifest.json "$id.json" layer.tar
  import "$t/image.tar"
}

import() { ctr -a "$RUN/containerd.sock" -n k8s.io images import "$1" > /dev/null; }

status() {
  local f p n total=0 rss
  for f in "$RUN"/*.pid; do
    [ -e "$f" ] || { echo 'not up'; return; }
    n=$(basename "$f" .pid) p=$(cat "$f")
    rss=$(awk '/^VmRSS/{print int($2/1024)}' "/proc/$p/status" 2>/dev/null || echo 0)
    printf '%-26s pid %-7s rss %5s MiB\n' "$n" "$p" "$rss"; total=$((total + rss))
  done
  echo "total rss $total MiB"
  kctl get nodes -o wide || true
}

cmd=${1:-}; [ $# -eq 0 ] || shift
case $cmd in
  deps|unpack|build|up|down|import|status) "$cmd" "$@" ;;
  stop-api) stop kube-apiserver ;;
  start-api) api ;;
  exec) in_ns "$@" ;;
  *) sed -n '2,18p' "$0"; exit 2 ;;
esac
