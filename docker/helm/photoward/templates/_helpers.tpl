{{- define "photoward.labels" -}}
app.kubernetes.io/name: photoward
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "photoward.image.tag" -}}
{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "photoward.pod" -}}
automountServiceAccountToken: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "photoward.container" -}}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: secrets, mountPath: /run/secrets, readOnly: true}
  - {name: spool, mountPath: /spool}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "photoward.volumes" -}}
- name: secrets
  secret:
    secretName: {{ .Values.existingSecret }}
    defaultMode: 0440
    items:
      - {key: master_secret, path: master_secret}
      - {key: photoward_database_url, path: photoward_database_url}
      - {key: photoward_redis_url, path: photoward_redis_url}
      - {key: aws_secret_access_key, path: aws_secret_access_key}
- {name: tmp, emptyDir: {sizeLimit: 1Gi}}
{{- end }}

{{- define "photoward.environment" -}}
- {name: PHOTOWARD_HTTP_REQUIRE_KEYS, value: "1"}
- {name: PHOTOWARD_HTTP_HOST, value: 0.0.0.0}
- {name: PHOTOWARD_HTTP_PORT, value: "8080"}
- {name: PHOTOWARD_METRICS_PORT, value: "9100"}
- {name: PHOTOWARD_SECRETS_DIR, value: /run/secrets}
- {name: PHOTOWARD_MASTER_SECRET_FILE, value: /run/secrets/master_secret}
- {name: PHOTOWARD_STORAGE_URL, value: {{ .Values.store.url | quote }}}
- {name: AWS_REGION, value: {{ .Values.store.region | quote }}}
- {name: AWS_ACCESS_KEY_ID, value: {{ .Values.store.accessKeyId | quote }}}
{{- with .Values.store.endpoint }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.traces.endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with .Values.store.publicUrl }}
- {name: PHOTOWARD_STORAGE_PUBLIC_URL, value: {{ . | quote }}}
{{- end }}
- {name: TMPDIR, value: /spool}
{{- range $name, $value := .Values.environment }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}
