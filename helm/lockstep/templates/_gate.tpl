{{/* The initContainer in front of a backend: it ends when the schema has all that this image needs. */}}
{{- define "lockstep.gate" -}}
{{- $ := (.Subcharts).lockstep | default . -}}
{{- include "lockstep.refuse" $ -}}
{{- $values := $.Values -}}
{{- if $values.gate.enabled -}}
{{- $source := include "lockstep.gate.source" $ -}}
{{- $address := dict -}}
{{- if eq $source "file" -}}
{{- else if $values.gate.existingSecret -}}
{{- $address = dict "name" (tpl $values.gate.existingSecret $) "key" $values.gate.existingSecretKey -}}
{{- else if eq $source "database" -}}
{{- $address = include "lockstep.address" $ | fromYaml -}}
{{- end -}}
- name: lockstep-gate
  image: {{ include "lockstep.image" $ | quote }}
  imagePullPolicy: {{ $values.image.pullPolicy }}
  args: {{ concat (list "wait" "--from" $source) ($values.gate.version | empty | ternary list (list "--version" $values.gate.version)) | toJson }}
  env:
    {{- include "lockstep.env" (dict "scope" $ "address" $address) | trim | nindent 4 }}
    - name: LOCKSTEP_GATE_WAIT
      value: {{ $values.gate.wait | quote }}
    {{- if eq $source "configmap" }}
    - name: LOCKSTEP_STATUS
      value: configmap/{{ include "lockstep.statusName" $ }}
    {{- else if eq $source "file" }}
    - name: LOCKSTEP_STATUS
      value: file:/lockstep-status/status.json
    {{- end }}
  {{- with $values.extraEnvFrom }}
  envFrom:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationMessagePolicy: FallbackToLogsOnError
  {{- with $values.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.gate.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- $mounts := concat ($values.gate.version | empty | ternary (include "lockstep.sqlMounts" $ | fromYamlArray) list) (default list $values.extraVolumeMounts) }}
  {{- if eq $source "file" }}
  {{- $mounts = append $mounts (dict "name" "lockstep-status" "mountPath" "/lockstep-status" "readOnly" true) }}
  {{- end }}
  {{- with $mounts }}
  volumeMounts:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* The volumes of that initContainer; nothing where it needs none. */}}
{{- define "lockstep.gate.volumes" -}}
{{- $ := (.Subcharts).lockstep | default . -}}
{{- include "lockstep.refuse" $ -}}
{{- if $.Values.gate.enabled -}}
{{- $volumes := concat ($.Values.gate.version | empty | ternary (include "lockstep.sqlVolumes" $ | fromYamlArray) list) (default list $.Values.extraVolumes) -}}
{{- if eq (include "lockstep.gate.source" $) "file" -}}
{{- $volumes = append $volumes (dict "name" "lockstep-status" "configMap" (dict "name" (include "lockstep.statusName" $) "optional" true)) -}}
{{- end -}}
{{- with $volumes -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* For the pods of a rollout: by this the Job behind it knows which are of its own release. */}}
{{- define "lockstep.gate.annotations" -}}
{{- $ := (.Subcharts).lockstep | default . -}}
{{- include "lockstep.refuse" $ -}}
lockstep/set: {{ include "lockstep.set" $ | quote }}
{{- end -}}

{{/* The right to read the status, for the ServiceAccount of the pods that wait: never a hook, since pods need it for ever. */}}
{{- define "lockstep.gate.rbac" -}}
{{- $ := (.Subcharts).lockstep | default . -}}
{{- include "lockstep.refuse" $ -}}
{{- $values := $.Values -}}
{{- if and $values.gate.enabled $values.rbac.create (eq (include "lockstep.gate.source" $) "configmap") -}}
{{- $name := printf "%s-gate" (include "lockstep.fullname" $) -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "lockstep.lasting" (dict "scope" $ "name" $name "component" "gate") | nindent 2 }}
rules:
  - apiGroups: [""]
    resources: [configmaps]
    resourceNames: {{ list (include "lockstep.statusName" $) | toJson }}
    verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "lockstep.lasting" (dict "scope" $ "name" $name "component" "gate") | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ tpl $values.gate.serviceAccountName $ | toYaml }}
    namespace: {{ toYaml $.Release.Namespace }}
{{- end -}}
{{- end -}}

{{/* Metadata of an object that is no hook: dict "scope" "name" "component". */}}
{{- define "lockstep.lasting" -}}
{{- $annotations := default dict .scope.Values.commonAnnotations -}}
{{- if eq .scope.Values.mode "argocd" -}}
{{- $annotations = merge (dict "argocd.argoproj.io/sync-wave" "-1") $annotations -}}
{{- end -}}
name: {{ toYaml .name }}
namespace: {{ toYaml .scope.Release.Namespace }}
labels:
  {{- include "lockstep.labels" . | nindent 2 }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
