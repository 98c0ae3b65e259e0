{{/*
The Job behind the rollout, and what it needs: it waits until the Deployments that are named have no
pod of another release, and applies the files that older pods could not have lived with.
*/}}
{{- define "lockstep.afterRollout" -}}
{{- $ := (.Subcharts).lockstep | default . -}}
{{- include "lockstep.refuse" $ -}}
{{- $values := $.Values -}}
{{- $name := printf "%s-after" (include "lockstep.fullname" $) -}}
{{- $deployments := list -}}
{{- range $values.afterRollout.deployments -}}
{{- $deployments = append $deployments (tpl . $) -}}
{{- end -}}
{{- $meta := dict "scope" $ "name" $name "component" "after-rollout" "after" true -}}
{{- $account := ternary $name (include "lockstep.serviceAccountName" $) $values.serviceAccount.create -}}
{{- if $values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "lockstep.metadata" (merge (dict "offset" 19 "annotations" $values.serviceAccount.annotations) $meta) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
{{- if $values.rbac.create }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "lockstep.metadata" (merge (dict "offset" 18) $meta) | nindent 2 }}
rules:
  - apiGroups: [apps]
    resources: [deployments]
    resourceNames: {{ toJson $deployments }}
    verbs: [get]
  # A list cannot be limited to names.
  - apiGroups: [""]
    resources: [pods]
    verbs: [list]
  {{- if $values.status.enabled }}
  {{- include "lockstep.publishRule" $ | nindent 2 }}
  {{- end }}
---
{{ include "lockstep.binding" (merge (dict "offset" 17 "account" $account) $meta) }}
{{- end }}
{{- $env := list
  (dict "name" "LOCKSTEP_ROLLOUT" "value" (join "," $deployments))
  (dict "name" "LOCKSTEP_ROLLOUT_SET" "value" (include "lockstep.set" $))
  (dict "name" "LOCKSTEP_ROLLOUT_WAIT" "value" $values.afterRollout.wait) -}}
{{- $job := dict "scope" $ "component" "after-rollout" "args" (list "migrate") "phase" "after-rollout" "deadline" $values.afterRollout.activeDeadlineSeconds "backoffLimit" $values.job.backoffLimit "account" $account "env" $env -}}
{{- $spec := include "lockstep.jobSpec" $job -}}
{{- $hashed := include "lockstep.hashed" (dict "scope" $ "name" $name "spec" $spec "rerun" $values.job.rerun) }}
---
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "lockstep.metadata" (merge (dict "name" $hashed "offset" 0 "job" true "annotations" $values.job.annotations) $meta) | nindent 2 }}
spec:
  {{- $spec | nindent 2 }}
{{- end -}}
