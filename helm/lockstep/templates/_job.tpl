{{/*
Each of the Jobs below has one name for ever where its tool removes the one before; in mode `job` its
name has a hash of all that it says, since a Job cannot be changed: it runs again when, and only when,
it says something else.
*/}}
{{- define "lockstep.hashed" -}}
{{- $hash := list .spec .rerun | toJson | sha256sum | trunc 8 -}}
{{- eq .scope.Values.mode "job" | ternary (printf "%s-%s" .name $hash) .name -}}
{{- end -}}

{{/* The Job that migrates. */}}
{{- define "lockstep.job" -}}
{{- $ := (.Subcharts).lockstep | default . -}}
{{- include "lockstep.refuse" $ -}}
{{- $values := $.Values -}}
{{- $job := dict "scope" $ "component" "migration" "args" (list "migrate") "phase" $values.job.phase "deadline" $values.job.activeDeadlineSeconds "backoffLimit" $values.job.backoffLimit "account" (include "lockstep.serviceAccountName" $) -}}
{{- $spec := include "lockstep.jobSpec" $job -}}
{{- $name := include "lockstep.hashed" (dict "scope" $ "name" (printf "%s-migrate" (include "lockstep.fullname" $)) "spec" $spec "rerun" $values.job.rerun) -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "lockstep.metadata" (dict "scope" $ "name" $name "component" "migration" "offset" 0 "job" true "annotations" $values.job.annotations) | nindent 2 }}
spec:
  {{- $spec | nindent 2 }}
{{- end -}}

{{/* A Job with other arguments, which runs once and before the one that migrates. */}}
{{- define "lockstep.once" -}}
{{- $ := (.Subcharts).lockstep | default . -}}
{{- include "lockstep.refuse" $ -}}
{{- $values := $.Values -}}
{{- $job := dict "scope" $ "component" "once" "args" $values.job.args "phase" $values.job.phase "deadline" $values.job.activeDeadlineSeconds "backoffLimit" 0 "account" (include "lockstep.serviceAccountName" $) -}}
{{- $spec := include "lockstep.jobSpec" $job -}}
{{- $name := include "lockstep.hashed" (dict "scope" $ "name" (printf "%s-once" (include "lockstep.fullname" $)) "spec" $spec "rerun" $values.job.rerun) -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "lockstep.metadata" (dict "scope" $ "name" $name "component" "once" "offset" 1 "job" true "annotations" $values.job.annotations) | nindent 2 }}
spec:
  {{- $spec | nindent 2 }}
{{- end -}}
