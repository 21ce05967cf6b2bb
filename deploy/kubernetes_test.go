package deploy_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

const manifest = "kubernetes/sidecar.yaml"

// bundle is what the manifest holds, by kind.
type bundle struct {
	config     *corev1.ConfigMap
	deployment *appsv1.Deployment
	service    *corev1.Service
	network    *networkingv1.NetworkPolicy
}

func decoder() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err) // unreachable: the types are the library's own
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}

// decode reads every document; unknown and duplicate fields are errors.
func decode(content []byte) ([]runtime.Object, error) {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	var objects []runtime.Object
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		object, _, err := decoder().Decode(document, &schema.GroupVersionKind{}, nil)
		if err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}

func read(t *testing.T) []byte {
	t.Helper()
	content, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func load(t *testing.T) bundle {
	t.Helper()
	objects, err := decode(read(t))
	if err != nil {
		t.Fatal(err)
	}
	var b bundle
	for _, object := range objects {
		switch o := object.(type) {
		case *corev1.ConfigMap:
			b.config = o
		case *appsv1.Deployment:
			b.deployment = o
		case *corev1.Service:
			b.service = o
		case *networkingv1.NetworkPolicy:
			b.network = o
		}
	}
	if b.config == nil || b.deployment == nil || b.service == nil || b.network == nil {
		t.Fatalf("%s lacks an object: %+v", manifest, b)
	}
	return b
}

func TestManifestIsReadStrictly(t *testing.T) {
	for _, change := range []struct{ from, to string }{
		{"replicas: 2", "replicaz: 2"},
		{"replicas: 2", "replicas: 2\n  replicas: 3"},
		{"readOnlyRootFilesystem: true", "readOnlyRootFileSystem: true"},
		{"replicas: 2", "replicas: two"},
		{"kind: NetworkPolicy", "kind: NetworkPolice"},
	} {
		if _, err := decode(changed(t, change.from, change.to)); err == nil {
			t.Errorf("%q in place of %q is accepted", change.to, change.from)
		}
	}
}

// changed is the manifest with one replacement.
func changed(t *testing.T, from, to string) []byte {
	t.Helper()
	content := read(t)
	if !bytes.Contains(content, []byte(from)) {
		t.Fatalf("the manifest does not hold %q", from)
	}
	return bytes.Replace(content, []byte(from), []byte(to), 1)
}

// violations are the reasons why Pod Security "restricted" forbids the pod.
func violations(t *testing.T, pod corev1.PodTemplateSpec) []string {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	var reasons []string
	for _, result := range evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec) {
		if !result.Allowed {
			reasons = append(reasons, result.ForbiddenReason)
		}
	}
	return reasons
}

func TestPodIsRestricted(t *testing.T) {
	if reasons := violations(t, load(t).deployment.Spec.Template); len(reasons) != 0 {
		t.Errorf("Pod Security forbids the pod: %s", strings.Join(reasons, "; "))
	}
}

// Taking any protection away from either container must be noticed.
func TestPodSecurityNotices(t *testing.T) {
	for _, c := range []struct {
		name   string
		weaken func(*corev1.PodSpec, *corev1.SecurityContext)
	}{
		{"no security context", func(_ *corev1.PodSpec, s *corev1.SecurityContext) { *s = corev1.SecurityContext{} }},
		{"privilege escalation", func(_ *corev1.PodSpec, s *corev1.SecurityContext) { s.AllowPrivilegeEscalation = nil }},
		{"capabilities", func(_ *corev1.PodSpec, s *corev1.SecurityContext) { s.Capabilities = nil }},
		{"root", func(_ *corev1.PodSpec, s *corev1.SecurityContext) { s.RunAsUser = new(int64) }},
		{"maybe root", func(p *corev1.PodSpec, s *corev1.SecurityContext) {
			p.SecurityContext.RunAsNonRoot, s.RunAsNonRoot = nil, nil
		}},
		{"no seccomp", func(p *corev1.PodSpec, s *corev1.SecurityContext) {
			p.SecurityContext.SeccompProfile, s.SeccompProfile = nil, nil
		}},
		{"host network", func(p *corev1.PodSpec, _ *corev1.SecurityContext) { p.HostNetwork = true }},
	} {
		for _, sidecar := range []bool{true, false} {
			pod := load(t).deployment.Spec.Template
			container := &pod.Spec.Containers[0]
			if sidecar {
				container = &pod.Spec.InitContainers[0]
			}
			c.weaken(&pod.Spec, container.SecurityContext)
			if len(violations(t, pod)) == 0 {
				t.Errorf("%s (sidecar %v) is not noticed", c.name, sidecar)
			}
		}
	}
}

// What "restricted" does not ask for, and a sidecar still needs.
func TestSidecar(t *testing.T) {
	pod := load(t).deployment.Spec.Template.Spec
	postern := pod.InitContainers[0]
	if postern.RestartPolicy == nil || *postern.RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Error("the sidecar is not a native one")
	}
	for _, c := range append(slices.Clone(pod.InitContainers), pod.Containers...) {
		if c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
			t.Errorf("%s may write to its image", c.Name)
		}
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s has no bounds", c.Name)
		}
		if len(c.Env)+len(c.EnvFrom) != 0 {
			t.Errorf("%s has an environment; secrets are files", c.Name)
		}
	}
	if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
		t.Error("the pod carries a Kubernetes token")
	}
	admin := port(t, postern, "admin")
	if admin != 9464 {
		t.Errorf("the admin port is %d", admin)
	}
	for path, probe := range map[string]*corev1.Probe{"/healthz": postern.StartupProbe, "/readyz": postern.ReadinessProbe, "/healthz ": postern.LivenessProbe} {
		if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != strings.TrimSpace(path) || probe.HTTPGet.Port != intstr.FromString("admin") {
			t.Errorf("probe of %s: %+v", path, probe)
		}
	}
	for _, mount := range postern.VolumeMounts {
		if !mount.ReadOnly || !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name }) {
			t.Errorf("mount %s is writable or has no volume", mount.Name)
		}
	}
}

func port(t *testing.T, c corev1.Container, name string) int32 {
	t.Helper()
	for _, p := range c.Ports {
		if p.Name == name {
			return p.ContainerPort
		}
	}
	t.Fatalf("%s has no port %s", c.Name, name)
	return 0
}

// The server behind is reached through the proxy's port or not at all.
func TestOnlyTheProxyIsReachable(t *testing.T) {
	b := load(t)
	pod := b.deployment.Spec.Template
	if got := b.service.Spec.Ports; len(got) != 1 || got[0].TargetPort != intstr.FromString("mcp") {
		t.Errorf("the service exposes %+v", got)
	}
	for name, selector := range map[string]map[string]string{
		"deployment": b.deployment.Spec.Selector.MatchLabels, "service": b.service.Spec.Selector, "network policy": b.network.Spec.PodSelector.MatchLabels,
	} {
		for key, value := range selector {
			if pod.Labels[key] != value {
				t.Errorf("the %s selects %s=%s, which the pod has not", name, key, value)
			}
		}
		if len(selector) == 0 {
			t.Errorf("the %s selects everything", name)
		}
	}
	if len(pod.Spec.Containers[0].Ports) != 0 {
		t.Error("the server behind has a port of its own")
	}
	for _, rule := range b.network.Spec.Ingress {
		open := len(rule.From) == 0
		for _, p := range rule.Ports {
			if name := p.Port.String(); name != "mcp" && (name != "admin" || open) {
				t.Errorf("the network policy lets port %s in (from everywhere: %v)", name, open)
			}
		}
		if len(rule.Ports) == 0 {
			t.Error("a rule of the network policy lets every port in")
		}
	}
	if len(b.network.Spec.Ingress) != 2 || !slices.Equal(b.network.Spec.PolicyTypes, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}) {
		t.Errorf("the network policy is %+v", b.network.Spec)
	}
}
