{{/*
What the Jobs need before they can start: in mode `hook` and `argocd` hooks themselves, since nothing
of the release is there yet. Nothing of it is shared with pods that stay.
*/}}
{{- define "lockstep.rbac" -}}
{{- $ := (.Subcharts).lockstep | default . -}}
{{- include "lockstep.refuse" $ -}}
{{- $values := $.Values -}}
{{- $full := include "lockstep.fullname" $ -}}
{{- if $values.database.url }}
---
apiVersion: v1
kind: Secret
metadata:
  {{- include "lockstep.metadata" (dict "scope" $ "name" (printf "%s-database" $full) "component" "migration" "offset" 20 "passing" true "always" $values.afterRollout.enabled) | nindent 2 }}
type: Opaque
stringData:
  DATABASE_URL: {{ $values.database.url | quote }}
{{- end }}
{{- if $values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "lockstep.metadata" (dict "scope" $ "name" (include "lockstep.serviceAccountName" $) "component" "migration" "offset" 19 "annotations" $values.serviceAccount.annotations) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
{{- if and $values.rbac.create $values.status.enabled }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "lockstep.metadata" (dict "scope" $ "name" (printf "%s-migrate" $full) "component" "migration" "offset" 18) | nindent 2 }}
rules:
  {{- include "lockstep.publishRule" $ | nindent 2 }}
---
{{ include "lockstep.binding" (dict "scope" $ "name" (printf "%s-migrate" $full) "component" "migration" "account" (include "lockstep.serviceAccountName" $) "offset" 17) }}
{{- end }}
{{- if $values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "lockstep.metadata" (dict "scope" $ "name" (printf "%s-migrate" $full) "component" "migration" "offset" 16) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- omit (include "lockstep.selectorLabels" (dict "scope" $ "component" "") | fromYaml) "app.kubernetes.io/component" | toYaml | nindent 6 }}
  policyTypes: [Ingress, Egress]
  egress:
    - ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    - ports:
        {{- range concat $values.networkPolicy.databasePorts $values.networkPolicy.apiPorts }}
        - {port: {{ . }}, protocol: TCP}
        {{- end }}
    {{- with $values.networkPolicy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Server-side apply needs no more, also to make it: the name is in the request. */}}
{{- define "lockstep.publishRule" -}}
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: {{ list (include "lockstep.statusName" .) | toJson }}
  verbs: [get, create, patch]
{{- end -}}

{{- define "lockstep.binding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "lockstep.metadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ toYaml .account }}
    namespace: {{ toYaml .scope.Release.Namespace }}
{{- end -}}
