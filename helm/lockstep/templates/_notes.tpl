{{/* What a person types next; for a NOTES.txt of your own, too. */}}
{{- define "lockstep.notes" -}}
{{- $ := (.Subcharts).lockstep | default . -}}
{{- $values := $.Values -}}
{{- $in := printf "-n %s" $.Release.Namespace -}}
{{- $full := include "lockstep.fullname" $ -}}
{{- $jobs := printf "-l app.kubernetes.io/instance=%s,app.kubernetes.io/component=migration" $.Release.Name -}}
{{- if ne $values.mode "gate" -}}
What the migration did, which version the schema has, and what the pods wait for:

  kubectl logs {{ $in }} {{ $jobs }} --tail=-1
  {{- if $values.status.enabled }}
  kubectl get configmap {{ $in }} {{ include "lockstep.statusName" $ }} -o jsonpath='{.data.state} {.data.version}{"\n"}'
  {{- else }}
  kubectl get jobs {{ $in }} {{ $jobs }}
  {{- end }}
  kubectl get pods {{ $in }} -l app.kubernetes.io/instance={{ $.Release.Name }}

{{ if eq $values.mode "hook" -}}
The Job may take {{ $values.job.activeDeadlineSeconds }} s, so Helm must wait longer: --timeout {{ add $values.job.activeDeadlineSeconds 30 }}s or more at each upgrade.
{{- else if eq $values.mode "job" -}}
The Job has a name of its content. To run it again as it is: --set {{ ne .Chart.Name $.Chart.Name | ternary (printf "%s." $.Chart.Name) "" }}job.rerun=again
{{- else -}}
Argo CD runs the Job at each full sync.
{{- end }}
If it failed: its last line names an error, and docs/errors.md says what to do for each.
{{- else -}}
Pods with the gate wait until the schema has what their image needs:

  kubectl logs {{ $in }} POD -c lockstep-gate
{{- end }}
{{- end -}}
