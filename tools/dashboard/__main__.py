from tools.dashboard.grafana import FILE, text

FILE.write_text(text(), encoding="utf-8")
