{{/* Each named template takes the scope of this chart: as a dependency `.Subcharts.lockstep`, which is found by itself. */}}

{{/* At most 45 characters, so that the longest suffix still fits; a longer name keeps apart by a hash what it cuts. */}}
{{- define "lockstep.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- $release := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- $full := .Values.fullnameOverride | default $release -}}
{{- if gt (len $full) 45 -}}
{{- printf "%s-%s" (trunc 36 $full | trimSuffix "-") (sha256sum $full | trunc 8) -}}
{{- else -}}
{{- $full -}}
{{- end -}}
{{- end -}}

{{- define "lockstep.statusName" -}}
{{- tpl (default "" .Values.status.name) . | default (include "lockstep.fullname" .) -}}
{{- end -}}

{{- define "lockstep.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (printf "%s-migrate" (include "lockstep.fullname" .)) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "lockstep.image" -}}
{{- $image := .Values.image -}}
{{- $repository := required "image.repository is not set: name the image that holds your SQL files (FROM lockstep, COPY sql /sql), or the one of Lockstep itself together with migrations.configMap or migrations.volume" (tpl (default "" $image.repository) .) -}}
{{- with tpl (default "" $image.registry) . -}}{{- . -}}/{{- end -}}
{{- $repository -}}
{{- with tpl (default "" $image.digest) . -}}
@{{- . -}}
{{- else -}}
:{{- tpl (default "" $image.tag) . | default .Chart.AppVersion -}}
{{- end -}}
{{- end -}}

{{/* What the pods of a rollout need of the schema, as far as a chart can know: the image of the SQL files, and where else they come from. */}}
{{- define "lockstep.set" -}}
{{- list (include "lockstep.image" .) .Values.migrations.path (include "lockstep.sqlVolumes" .) .Values.gate.version | toJson | sha256sum | trunc 16 -}}
{{- end -}}

{{/* Where the gate looks, as far as nobody says. */}}
{{- define "lockstep.gate.source" -}}
{{- $own := or (eq .Values.mode "job") .Values.gate.existingSecret -}}
{{- .Values.gate.from | default (ternary "database" "configmap" (not (empty $own))) -}}
{{- end -}}

{{/*
dict "scope" "component": never the labels by which a Service or a budget of the backend selects. By
way of a map, since a release may be called 1234, and labels of the values may be given twice.
*/}}
{{- define "lockstep.selectorLabels" -}}
{{- $name := .scope.Values.nameOverride | default .scope.Chart.Name -}}
{{- dict "app.kubernetes.io/name" $name "app.kubernetes.io/instance" .scope.Release.Name "app.kubernetes.io/component" .component | toYaml -}}
{{- end -}}

{{- define "lockstep.labels" -}}
{{- $chart := printf "%s-%s" .scope.Chart.Name .scope.Chart.Version | replace "+" "_" -}}
{{- $others := dict "app.kubernetes.io/version" .scope.Chart.AppVersion "app.kubernetes.io/managed-by" .scope.Release.Service "helm.sh/chart" $chart -}}
{{- merge (include "lockstep.selectorLabels" . | fromYaml) $others (default dict .scope.Values.commonLabels) | toYaml -}}
{{- end -}}

{{/*
Metadata of an object that a Job needs, or of a Job: dict "scope" "name" "component", and
  offset  how far it comes before the Job; distinct, since Helm orders equal weights by name
  after   whether it is for the Job behind the rollout
  always  whether for both
  passing whether it goes when all have succeeded
  job     whether it is a Job
*/}}
{{- define "lockstep.metadata" -}}
{{- $values := .scope.Values -}}
name: {{ toYaml .name }}
namespace: {{ toYaml .scope.Release.Namespace }}
labels:
  {{- include "lockstep.labels" . | nindent 2 }}
{{- $weight := sub (int $values.hook.weight) (int .offset) | toString -}}
{{- $annotations := dict -}}
{{- if eq $values.mode "hook" -}}
{{- $events := $values.hook.events -}}
{{- $behind := list "post-install" "post-upgrade" -}}
{{- if .after -}}{{- $events = $behind -}}{{- end -}}
{{- if .always -}}{{- $events = concat $events $behind | uniq -}}{{- end -}}
{{- $_ := set $annotations "helm.sh/hook" (join "," $events) -}}
{{- $_ := set $annotations "helm.sh/hook-weight" $weight -}}
{{- $_ := set $annotations "helm.sh/hook-delete-policy" (list "before-hook-creation" (empty .passing | ternary "" "hook-succeeded") | compact | join ",") -}}
{{- if .job -}}
{{- $_ := set $annotations "helm.sh/hook-output-log-policy" "hook-succeeded,hook-failed" -}}
{{- end -}}
{{- else if eq $values.mode "argocd" -}}
{{- $phases := list $values.argocd.phase -}}
{{- if .after -}}{{- $phases = list "PostSync" -}}{{- end -}}
{{- if .always -}}{{- $phases = append $phases "PostSync" -}}{{- end -}}
{{- $_ := set $annotations "argocd.argoproj.io/hook" (join "," $phases) -}}
{{- $_ := set $annotations "argocd.argoproj.io/sync-wave" $weight -}}
{{- $_ := set $annotations "argocd.argoproj.io/hook-delete-policy" (list "BeforeHookCreation" (empty .passing | ternary "" "HookSucceeded") | compact | join ",") -}}
{{- end -}}
{{- $annotations = merge $annotations (default dict .annotations) (default dict $values.commonAnnotations) -}}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
