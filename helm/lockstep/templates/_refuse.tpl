{{/* What must not be rendered: each with the reason and what to do. */}}
{{- define "lockstep.refuse" -}}
{{- $values := .Values -}}
{{- if not (hasKey $values "afterRollout") -}}
{{- fail "this named template of Lockstep was included from a chart that has no dependency of that name: under an alias, pass its scope: include \"lockstep.gate\" .Subcharts.ALIAS" -}}
{{- end -}}
{{- $late := false -}}
{{- range $values.hook.events -}}
{{- if hasPrefix "post-" . -}}{{- $late = . -}}{{- end -}}
{{- end -}}
{{- if and $late (eq $values.mode "hook") $values.gate.enabled (ne $values.job.phase "after-rollout") -}}
{{- fail (printf "hook.events has %s, and the gate is on: Helm would wait for pods that wait for the Job, which Helm starts only then. Take pre-install and pre-upgrade; where the database is of the same release, mode: job" $late) -}}
{{- end -}}
{{- if and (eq $values.mode "argocd") (not (kindIs "invalid" $values.job.ttlSecondsAfterFinished)) (lt (int $values.job.ttlSecondsAfterFinished) 3600) -}}
{{- fail "job.ttlSecondsAfterFinished is below 3600: Argo CD hangs in a sync whose Job is removed before it has looked. Take 3600 or more, or null" -}}
{{- end -}}
{{- range $key, $deadline := dict "job" $values.job.activeDeadlineSeconds "afterRollout" $values.afterRollout.activeDeadlineSeconds -}}
{{- if lt (int $deadline) (add $values.job.terminationGracePeriodSeconds 10 | int) -}}
{{- fail (printf "%s.activeDeadlineSeconds is %d: it must be longer than job.terminationGracePeriodSeconds (%d) by 10 at least, in which the program works" $key (int $deadline) (int $values.job.terminationGracePeriodSeconds)) -}}
{{- end -}}
{{- end -}}
{{- if not (regexMatch "^$|^postgres(ql)?://" (default "" $values.database.url)) -}}
{{- fail "database.url must begin with postgres:// or postgresql://" -}}
{{- end -}}
{{- if and $values.database.url $values.database.existingSecret -}}
{{- fail "database.url and database.existingSecret are both set: take one" -}}
{{- end -}}
{{- if and (ne $values.mode "gate") (not (or $values.database.url $values.database.existingSecret $values.extraEnv $values.extraEnvFrom)) -}}
{{- fail "where is the database? Set database.existingSecret to a Secret whose key DATABASE_URL is its address (postgres://user:password@host:5432/name), or PGHOST and the like by extraEnv or extraEnvFrom" -}}
{{- end -}}
{{- range $values.extraEnv -}}
{{- if has .name (list "LOCKSTEP_DEADLINE" "LOCKSTEP_DIR" "LOCKSTEP_GATE_WAIT" "LOCKSTEP_PHASE" "LOCKSTEP_ROLLOUT" "LOCKSTEP_ROLLOUT_SET" "LOCKSTEP_ROLLOUT_WAIT" "LOCKSTEP_STATUS" "LOCKSTEP_STATUS_REQUIRED") -}}
{{- fail (printf "extraEnv has %s, which the chart sets by itself: see job, gate, status, migrations and afterRollout for its value" .name) -}}
{{- end -}}
{{- if and (eq .name "DATABASE_URL") (or $values.database.url $values.database.existingSecret $values.gate.existingSecret) -}}
{{- fail "extraEnv has DATABASE_URL, and a Secret for it is set, too: take one" -}}
{{- end -}}
{{- end -}}
{{- if and (eq $values.mode "gate") (or $values.job.args $values.afterRollout.enabled) -}}
{{- fail "mode is gate, so there is no Job and no account for one: job.args and afterRollout.enabled need another mode" -}}
{{- end -}}
{{- if and $values.serviceAccount.create (eq $values.serviceAccount.name (tpl $values.gate.serviceAccountName .)) -}}
{{- fail "serviceAccount.name is the account of the pods with the gate: a hook makes it anew each time, and running pods would lose their token. Take another name, or none" -}}
{{- end -}}
{{- if and $values.migrations.configMap $values.migrations.volume -}}
{{- fail "migrations.configMap and migrations.volume are both set: take one" -}}
{{- end -}}
{{- if and $values.afterRollout.enabled (not $values.afterRollout.deployments) -}}
{{- fail "afterRollout.enabled needs afterRollout.deployments: the names of the Deployments that must be rolled out first" -}}
{{- end -}}
{{- if and $values.afterRollout.enabled (ne $values.job.phase "before-rollout") -}}
{{- fail (printf "afterRollout.enabled, and job.phase is %s: the first Job would apply the files of the second. Take before-rollout" $values.job.phase) -}}
{{- end -}}
{{- $source := include "lockstep.gate.source" . -}}
{{- if and $values.gate.enabled (has $source (list "configmap" "file")) (not $values.status.enabled) (ne $values.mode "gate") -}}
{{- fail (printf "the gate reads the %s, which nobody writes: set status.enabled, or gate.from to database" $source) -}}
{{- end -}}
{{- $lasting := or $values.gate.existingSecret $values.database.existingSecret $values.extraEnv $values.extraEnvFrom (and $values.database.url (eq $values.mode "job")) -}}
{{- if and $values.gate.enabled (eq $source "database") (not $lasting) -}}
{{- fail "the gate reads the database, and the Secret made of database.url goes with the hook: set gate.existingSecret" -}}
{{- end -}}
{{- end -}}
