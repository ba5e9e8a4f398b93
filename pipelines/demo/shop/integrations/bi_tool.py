"""The shop's BI tool as a Secoda integration: dashboards, charts, and where their numbers come from."""

# Written as such scripts are: without types.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN201

from secodadk import (
    DeclaredLineage,
    ExternalColumn,
    ExternalTable,
    InternalResource,
    Resource,
    SecodaIntegration,
    TablesFromSQLQuery,
)

API = "https://bi.shop.example/api"


class BiTool(SecodaIntegration):
    """Logs in, then reads the dashboards page by page."""

    def extract(self):
        headers = {"Authorization": "Bearer " + self.log_in()}
        page = 1
        while page:
            response = self.http_get(API + "/dashboards", params={"page": page}, headers=headers)
            response.raise_for_status()
            body = response.json()
            for dashboard in body["dashboards"]:
                self.declare_dashboard(dashboard)
            page = body["next_page"]

    def log_in(self):
        login = {"user": self.credentials["user"], "password": self.credentials["password"]}
        response = self.http_post(API + "/login", json=login)
        response.raise_for_status()
        return response.json()["token"]

    def declare_dashboard(self, dashboard):
        group = "group." + dashboard["group"].lower()
        self.declare_resource(
            Resource(entity_type="dashboard_group", databuilder_id=group, title=dashboard["group"])
        )
        key = "dashboard." + dashboard["slug"]
        self.declare_resource(
            Resource(
                entity_type="dashboard",
                databuilder_id=key,
                parent_databuilder_id=group,
                group=dashboard["group"],
                title=dashboard["title"],
                description=dashboard["about"],
                owners=[dashboard["owner"]],
                product="shop_bi",
            )
        )
        for chart in dashboard["charts"]:
            self.declare_chart(key, chart)

    def declare_chart(self, dashboard, chart):
        key = "chart." + chart["slug"]
        self.declare_resource(
            Resource(
                entity_type="chart",
                databuilder_id=key,
                parent_databuilder_id=dashboard,
                title=chart["title"],
                definition=chart.get("sql"),
                native_type=chart["kind"],
                product="shop_bi",
            )
        )
        me = InternalResource(databuilder_id=key)
        self.link(me, InternalResource(databuilder_id=dashboard))
        if "sql" in chart:
            self.link(TablesFromSQLQuery(sql=chart["sql"]), me)
        if "table" in chart:
            self.link(ExternalTable(**chart["table"]), me)
        for column in chart.get("columns", []):
            self.link(ExternalColumn(**column), me)

    def link(self, upstream, downstream):
        self.declare_lineage(DeclaredLineage(from_identifier=upstream, to_identifier=downstream))


if __name__ == "__main__":
    import os

    BiTool(credentials={"user": "headwater", "password": os.environ["SHOP_BI_PASSWORD"]}).start()
