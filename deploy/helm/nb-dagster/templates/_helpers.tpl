{{/* Labels of an object: (list $ "pages") */}}
{{- define "nb-dagster.labels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: nb-dagster
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* Labels by which pods are found; they never change. */}}
{{- define "nb-dagster.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: nb-dagster
app.kubernetes.io/component: {{ index . 1 }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
{{- end -}}
