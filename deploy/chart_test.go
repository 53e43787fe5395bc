package deploy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

const chartDir = "helm/traitstream"

// drain is the longest that the program takes to stop, seconds: open transactions,
// their end, leaving the group, and the store.
const drain = 15

// valuesCases are values that people set: none, and all.
func valuesCases() map[string]string {
	return map[string]string{
		"defaults": "",
		"everything": `
replicaCount: 5
image: {repository: images.example.com/traitstream, tag: 1.2.3, pullPolicy: Always}
imagePullSecrets: [{name: pull}]
config: |
  kafka:
    brokers: [kafka-1.example.com:9093]
    tls: {ca: /etc/traitstream-tls/ca.crt}
    sasl: {mechanism: SCRAM-SHA-512, user: traitstream, password: "${KAFKA_PASSWORD}"}
  sources:
    - {topic: impressions, environment: Production}
  traits:
    - name: "{split}"
      where: {treatment: on, splitVersionNumber: {at_least: 1665436973467}}
workers: 8
sessionTimeout: 1m
envFromSecret: kafka-credentials
tlsSecret: kafka-ca
extraEnv: [{name: GOMEMLIMIT, value: 900MiB}]
persistence: {size: 200Gi, storageClassName: fast, accessModes: [ReadWriteOncePod]}
resources: {requests: {cpu: "4", memory: 2Gi}, limits: {memory: 4Gi}}
terminationGracePeriodSeconds: 120
podDisruptionBudget: {enabled: true, maxUnavailable: 25%}
service: {port: 9000}
serviceMonitor: {enabled: true, interval: 30s, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}}
dashboard: {enabled: true}
networkPolicy: {enabled: true, egressPorts: [9093], from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}
serviceAccount: {annotations: {example.com/role: traitstream}}
podAnnotations: {example.com/team: growth}
podLabels: {team: growth}
nodeSelector: {disk: ssd}
tolerations: [{key: dedicated, operator: Exists}]
affinity: {nodeAffinity: {}}
topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app.kubernetes.io/name: traitstream}}}]
`,
	}
}

func parse(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestChartLint(t *testing.T) {
	for name, values := range valuesCases() {
		for _, m := range lint.All(chartDir, parse(t, values), "default", true).Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
}

// manifests are what a release consists of, by kind.
type manifests map[string][]byte

// render fills in the templates, as helm template does.
func render(t *testing.T, text string) manifests {
	t.Helper()
	m, err := tryRender(parse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func tryRender(given map[string]any) (manifests, error) {
	chart, err := loader.LoadDir(chartDir)
	if err != nil {
		return nil, err
	}
	values, err := chartutil.ToRenderValues(chart, given, chartutil.ReleaseOptions{Name: "demo", Namespace: "growth", IsInstall: true}, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, values)
	if err != nil {
		return nil, err
	}
	m := manifests{}
	for name, text := range files {
		if !strings.HasSuffix(name, ".yaml") || strings.TrimSpace(text) == "" {
			continue
		}
		var kind struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(text), &kind); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		m[kind.Kind+" "+kind.Metadata.Name] = []byte(text)
	}
	return m, nil
}

// as reads a manifest as what Kubernetes takes it for: an unknown field or a wrong
// type is an error.
func as[T runtime.Object](t *testing.T, m manifests, name string) T {
	t.Helper()
	text, ok := m[name]
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	object, _, err := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer().Decode(text, nil, nil)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	typed, ok := object.(T)
	if !ok {
		t.Fatalf("%s is a %T", name, object)
	}
	return typed
}

// configuration returns what a pod's program is given: its file and the variables
// whose values stand in the manifest.
func configuration(t *testing.T, m manifests) (text string, env []string) {
	t.Helper()
	c := as[*corev1.ConfigMap](t, m, "ConfigMap demo-traitstream")
	for _, e := range container(t, m).Env {
		if e.ValueFrom == nil {
			env = append(env, e.Name+"="+strings.NewReplacer("$(POD_NAME)", "demo-traitstream-0", "$(POD_NAMESPACE)", "growth").Replace(e.Value))
		}
	}
	return c.Data["traitstream.yaml"], env
}

func pod(t *testing.T, m manifests) corev1.PodSpec {
	t.Helper()
	return as[*appsv1.StatefulSet](t, m, "StatefulSet demo-traitstream").Spec.Template.Spec
}

func container(t *testing.T, m manifests) corev1.Container {
	t.Helper()
	return pod(t, m).Containers[0]
}

// Each manifest is one that Kubernetes takes, and they are those that are asked
// for.
func TestChartManifests(t *testing.T) {
	always := []string{"ConfigMap demo-traitstream", "NetworkPolicy demo-traitstream", "PodDisruptionBudget demo-traitstream",
		"Service demo-traitstream", "ServiceAccount demo-traitstream", "StatefulSet demo-traitstream"}
	operators := []string{"PrometheusRule demo-traitstream", "ServiceMonitor demo-traitstream"}
	for name, more := range map[string][]string{
		"defaults": nil, "everything": append([]string{"ConfigMap demo-traitstream-dashboard"}, operators...),
	} {
		m := render(t, valuesCases()[name])
		want, got := slices.Sorted(slices.Values(append(slices.Clone(always), more...))), []string(nil)
		for each := range m {
			got = append(got, each)
			if !slices.Contains(operators, each) {
				as[runtime.Object](t, m, each)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestChartPods(t *testing.T) {
	for name, values := range valuesCases() {
		t.Run(name, func(t *testing.T) {
			m := render(t, values)
			p, c := pod(t, m), container(t, m)
			if *p.TerminationGracePeriodSeconds <= drain {
				t.Errorf("%d s are too short to stop in", *p.TerminationGracePeriodSeconds)
			}
			if c.LivenessProbe.HTTPGet.Path != "/livez" || c.ReadinessProbe.HTTPGet.Path != "/readyz" || c.StartupProbe.HTTPGet.Path != "/livez" {
				t.Error("the probes ask elsewhere")
			}
			if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
				t.Error("nothing is said of resources")
			}
			checkRights(t, p, c)
			checkState(t, m)
			checkSelectors(t, m)
		})
	}
}

func checkRights(t *testing.T, p corev1.PodSpec, c corev1.Container) {
	t.Helper()
	if !*p.SecurityContext.RunAsNonRoot || !*c.SecurityContext.ReadOnlyRootFilesystem || *c.SecurityContext.AllowPrivilegeEscalation ||
		!slices.Contains(c.SecurityContext.Capabilities.Drop, "ALL") || *p.AutomountServiceAccountToken {
		t.Error("the pod may do more than it needs")
	}
}

// checkState looks where the state lies: on a volume of the pod's own.
func checkState(t *testing.T, m manifests) {
	t.Helper()
	claims := as[*appsv1.StatefulSet](t, m, "StatefulSet demo-traitstream").Spec.VolumeClaimTemplates
	if len(claims) != 1 || claims[0].Name != "state" {
		t.Error("a pod has no volume of its own for its state")
	}
	mounted := map[string]string{}
	for _, v := range container(t, m).VolumeMounts {
		mounted[v.MountPath] = v.Name
	}
	_, env := configuration(t, m)
	if mounted["/var/lib/traitstream"] != "state" || !slices.Contains(env, "TRAITSTREAM_STATE_DIR=/var/lib/traitstream/state") {
		t.Error("the state is not on the volume")
	}
}

// checkSelectors looks whether all that belongs to the pods means the same ones.
func checkSelectors(t *testing.T, m manifests) {
	t.Helper()
	set := as[*appsv1.StatefulSet](t, m, "StatefulSet demo-traitstream")
	budget := as[*policyv1.PodDisruptionBudget](t, m, "PodDisruptionBudget demo-traitstream")
	service := as[*corev1.Service](t, m, "Service demo-traitstream")
	network := as[*networkingv1.NetworkPolicy](t, m, "NetworkPolicy demo-traitstream")
	for what, selector := range map[string]map[string]string{
		"set": set.Spec.Selector.MatchLabels, "budget": budget.Spec.Selector.MatchLabels,
		"service": service.Spec.Selector, "network policy": network.Spec.PodSelector.MatchLabels,
	} {
		for label, value := range selector {
			if len(selector) != 2 || set.Spec.Template.Labels[label] != value {
				t.Errorf("the %s selects other pods: %v", what, selector)
			}
		}
	}
	if set.Spec.ServiceName != service.Name || service.Spec.ClusterIP != corev1.ClusterIPNone {
		t.Error("the pods have no names")
	}
}

// Another configuration is another pod, or the running ones would keep the old.
func TestChartConfigurationRolls(t *testing.T) {
	sum := func(values string) string {
		return as[*appsv1.StatefulSet](t, render(t, values), "StatefulSet demo-traitstream").Spec.Template.Annotations["checksum/config"]
	}
	if sum("") == sum("config: 'app: other'") || sum("") != sum("replicaCount: 3") {
		t.Error("the pods' annotation does not follow the configuration")
	}
}

// The operators' objects have what the files beside the chart have.
func TestChartMonitoring(t *testing.T) {
	m := render(t, valuesCases()["everything"])
	var rule struct {
		Spec struct {
			Groups []struct{ Rules []struct{ Alert string } }
		}
	}
	if err := yaml.Unmarshal(m["PrometheusRule demo-traitstream"], &rule); err != nil {
		t.Fatal(err)
	}
	all := rules(t)
	if len(rule.Spec.Groups) != 1 || len(rule.Spec.Groups[0].Rules) != len(all) {
		t.Errorf("%d alerts are deployed as %+v", len(all), rule)
	}
	var monitor struct {
		Spec struct {
			JobLabel  string
			Selector  struct{ MatchLabels map[string]string }
			Endpoints []struct{ Port, Path string }
		}
	}
	if err := yaml.Unmarshal(m["ServiceMonitor demo-traitstream"], &monitor); err != nil {
		t.Fatal(err)
	}
	service := as[*corev1.Service](t, m, "Service demo-traitstream")
	if service.Labels[monitor.Spec.JobLabel] != "traitstream" || monitor.Spec.Endpoints[0].Port != service.Spec.Ports[0].Name {
		t.Errorf("the service is scraped as another job, or not: %+v", monitor)
	}
	if c := as[*corev1.ConfigMap](t, m, "ConfigMap demo-traitstream-dashboard"); !strings.Contains(c.Data["traitstream.json"], `"uid": "traitstream"`) {
		t.Error("the dashboard is not there")
	}
}

// What can't work is refused before it is deployed.
func TestChartRefuses(t *testing.T) {
	for _, values := range []string{
		"terminationGracePeriodSeconds: 5", "service: {port: 80}", "workers: 0", "replicas: 3",
		"config: {kafka: {brokers: [kafka:9092]}}", "sessionTimeout: soon", "image: {repository: ''}",
	} {
		if _, err := tryRender(parse(t, values)); err == nil {
			t.Errorf("%s is taken", values)
		}
	}
}
