"""What the template leaves in an AWS account, in small: tables and outputs, for the operator's commands."""

from haimaker.store import tables

SECRET = "sk-the-providers-own-key"
PARAMETER = "/haimaker/providers"
STACK = {
    "Resources": {
        f"{name.title()}Table": {"Type": "AWS::DynamoDB::Table", "DeletionPolicy": "Retain", "Properties": table}
        for name, table in tables.TABLES.items()
    },
    "Outputs": {
        "AccountsTable": {"Value": {"Ref": "AccountsTable"}},
        "RecordsTable": {"Value": {"Ref": "RecordsTable"}},
        "ProvidersParameter": {"Value": PARAMETER},
        "BaseUrl": {"Value": "https://api.example/v1"},
        "ConsoleUrl": {"Value": "https://api.example/v1/console"},
        "ChatUrl": {"Value": "https://url.example/v1"},
    },
}
