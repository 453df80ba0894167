{{- define "action-server.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "action-server.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "action-server.labels" -}}
{{ include "action-server.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What cannot work is refused here, before anything is installed. */}}
{{- define "action-server.check" -}}
{{- if and .Values.persistence.enabled (or .Values.autoscaling.enabled (gt (int .Values.replicas) 1)) }}
{{- fail "persistence is for one replica, as several hosts cannot share an SQLite file: set replicas=1, or keep the data in PostgreSQL" }}
{{- end }}
{{- $server := default dict (get (default dict .Values.endpoints) "action_server") }}
{{- $auth := default dict $server.auth }}
{{- if and $auth (not (has "/ready" (default list $auth.open_paths))) }}
{{- fail "probes send no credential: put `open_paths: [/ready]` into `auth:` of endpoints.action_server" }}
{{- end }}
{{- $mcp := default dict $server.mcp }}
{{- if and .Values.mcp.enabled (not $mcp.actions) }}
{{- fail "mcp.enabled offers no tool: name the actions in `mcp: {actions: [...]}` of endpoints.action_server" }}
{{- end }}
{{- if and .Values.mcp.enabled (not $auth) (not $mcp.allowed_hosts) }}
{{- fail (printf "without a credential tools are for loopback only: set `auth:`, or `mcp: {allowed_hosts: [%s.%s]}`, in endpoints.action_server" (include "action-server.fullname" .) .Release.Namespace) }}
{{- end }}
{{- if and .Values.serviceMonitor.secretKey (not .Values.secretName) }}
{{- fail "serviceMonitor.secretKey names a key of secretName, which is empty" }}
{{- end }}
{{- end }}
