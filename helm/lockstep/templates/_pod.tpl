{{/* The Secret that holds the address for the Job, and the key in it; nothing where `extraEnv` has it. */}}
{{- define "lockstep.address" -}}
{{- if .Values.database.url -}}
{{- dict "name" (printf "%s-database" (include "lockstep.fullname" .)) "key" "DATABASE_URL" | toYaml -}}
{{- else if .Values.database.existingSecret -}}
{{- dict "name" (tpl .Values.database.existingSecret .) "key" .Values.database.existingSecretKey | toYaml -}}
{{- end -}}
{{- end -}}

{{/* Variables of Job and gate: dict "scope" "address". */}}
{{- define "lockstep.env" -}}
{{- with .address }}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      {{- toYaml . | nindent 6 }}
{{- end }}
- name: LOCKSTEP_DIR
  value: {{ .scope.Values.migrations.path | quote }}
{{- range $name, $value := .scope.Values.settings }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- with .scope.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "lockstep.sqlVolumes" -}}
{{- if .Values.migrations.configMap -}}
- name: lockstep-sql
  configMap:
    name: {{ tpl .Values.migrations.configMap . | toYaml }}
{{- else if .Values.migrations.volume -}}
- {{ merge (dict "name" "lockstep-sql") .Values.migrations.volume | toYaml | nindent 2 | trim }}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{- define "lockstep.sqlMounts" -}}
{{- if or .Values.migrations.configMap .Values.migrations.volume -}}
- name: lockstep-sql
  mountPath: {{ .Values.migrations.path }}
  readOnly: true
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{/*
The pods of a Job: dict "scope" "component" "args" "phase" "deadline" "account". The program ends itself before the Job would end it, and so can say why.
*/}}
{{- define "lockstep.pod" -}}
{{- $values := .scope.Values -}}
{{- $address := include "lockstep.address" .scope | fromYaml -}}
metadata:
  labels:
    {{- merge (include "lockstep.selectorLabels" . | fromYaml) (default dict $values.podLabels) (default dict $values.commonLabels) | toYaml | nindent 4 }}
  {{- with merge dict (default dict $values.podAnnotations) (default dict $values.commonAnnotations) }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  restartPolicy: Never
  serviceAccountName: {{ toYaml .account }}
  automountServiceAccountToken: {{ or $values.status.enabled (not (empty .env)) }}
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.job.terminationGracePeriodSeconds }}
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ toYaml . }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.extraInitContainers }}
  initContainers:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: lockstep
      image: {{ include "lockstep.image" .scope | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ toJson .args }}
      env:
        {{- include "lockstep.env" (dict "scope" .scope "address" $address) | trim | nindent 8 }}
        - name: LOCKSTEP_PHASE
          value: {{ .phase }}
        - name: LOCKSTEP_DEADLINE
          value: {{ printf "%ds" (sub .deadline $values.job.terminationGracePeriodSeconds) }}
        {{- if $values.status.enabled }}
        - name: LOCKSTEP_STATUS
          value: configmap/{{ include "lockstep.statusName" .scope }}
        {{- $isRead := and $values.gate.enabled (ne (include "lockstep.gate.source" .scope) "database") }}
        - name: LOCKSTEP_STATUS_REQUIRED
          value: {{ $isRead | ternary "true" "false" | quote }}
        {{- end }}
        {{- with .env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      terminationMessagePolicy: FallbackToLogsOnError
      {{- with $values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with concat (include "lockstep.sqlMounts" .scope | fromYamlArray) (default list $values.extraVolumeMounts) }}
      volumeMounts:
        {{- toYaml . | nindent 8 }}
      {{- end }}
  {{- with concat (include "lockstep.sqlVolumes" .scope | fromYamlArray) (default list $values.extraVolumes) }}
  volumes:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/*
A Job: the dict of its pods, and "backoffLimit". Its policy says what the exit codes of the program
mean: 1, 64 and 70 will not go away; 75 may, and counts; a pod that was moved does not count. Behind
it a new pod starts only when the old one is gone.
*/}}
{{- define "lockstep.jobSpec" -}}
backoffLimit: {{ .backoffLimit }}
activeDeadlineSeconds: {{ .deadline }}
{{- if not (kindIs "invalid" .scope.Values.job.ttlSecondsAfterFinished) }}
ttlSecondsAfterFinished: {{ .scope.Values.job.ttlSecondsAfterFinished }}
{{- end }}
podReplacementPolicy: Failed
podFailurePolicy:
  rules:
    - action: FailJob
      onExitCodes:
        containerName: lockstep
        operator: In
        values: [1, 64, 70]
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
          status: "True"
template:
  {{- include "lockstep.pod" . | nindent 2 }}
{{- end -}}
